/* interpreter.h - why execve(2) refused. */
#pragma once
#include <stddef.h>

/*
 * What is wrong with the program at `path`, for execve's errno `error`: a missing
 * interpreter of a script or an ELF program, a program for another machine, a
 * file that is no program.  Writes "" when nothing more is known.
 */
void explain_exec(const char *path, int error, char *text, size_t size);
