/* native_all.h - native.h and kernel.h as C: both are bare for cffi's sake. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../native.h"
#include "../kernel.h"
