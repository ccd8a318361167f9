/* hostname.c - names of the UTS namespace. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "init.h"

int run_hostname(struct init *in, const struct op_hostname *args)
{
    const char *name = str(in, args->name);

    if (name && sethostname(name, strlen(name)) < 0)
        return fail(in, errno, "set hostname \"%s\"", name);
    return 0;
}

int run_domainname(struct init *in, const struct op_domainname *args)
{
    const char *name = str(in, args->name);

    if (name && setdomainname(name, strlen(name)) < 0)
        return fail(in, errno, "set domainname \"%s\"", name);
    return 0;
}
