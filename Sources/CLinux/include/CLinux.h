// Linux calls that Swift's Glibc module does not offer: macros, and calls behind _GNU_SOURCE. No feature macros here:
// the types of a shim header must be the ones that every other module sees.
#pragma once
#include "Supervision.h"
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
