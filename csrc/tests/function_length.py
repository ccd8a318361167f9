"""Functions of C files that are too long: ``function_length.py LIMIT FILE...``; exit code 1 if there are any.

In our style a function's body begins with "{" and ends with "}" in the first column.
"""

import sys


def functions(path: str) -> list[tuple[int, int]]:
    """First line and number of lines of each body."""
    found: list[tuple[int, int]] = []
    begin = 0
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("{"):
                begin = number
            elif line.startswith("}") and begin:
                found.append((begin, number - begin + 1))
                begin = 0
    return found


def main() -> int:
    limit = int(sys.argv[1])
    too_long = 0
    for path in sys.argv[2:]:
        for begin, length in functions(path):
            if length >= limit:
                print(f"{path}:{begin}: a function of {length} lines, {limit} is too many")
                too_long += 1
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
