/* sanitize.c - options of the sanitizers: init has no environment to take them from. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/* What keep() maps lives as long as the process; LeakSanitizer wants ptrace(2) besides. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0:exitcode=99:abort_on_error=0";
}

const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1:exitcode=99";
}
