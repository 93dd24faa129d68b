// Signal handlers: the only state of the shim. A handler touches nothing but the atomics below and calls only what
// signal-safety(7) allows (write, mmap, sigaction).
#include "CLinux.h"

#include <stdatomic.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS 0x20
#endif

static atomic_int stop_wake = -1;
static atomic_uintptr_t guard_base;
static atomic_size_t guard_bytes;
static atomic_int guard_faulted;

static void on_stop(int number) {
    (void)number;
    int saved = errno, fd = atomic_load(&stop_wake);
    uint64_t one = 1;
    if (fd >= 0 && write(fd, &one, sizeof one) < 0) { /* a full counter wakes as well */ }
    errno = saved;
}

int gemel_stop_signals(int wake) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = wake >= 0 ? on_stop : SIG_DFL;
    action.sa_flags = SA_RESTART;
    atomic_store(&stop_wake, wake);
    if (sigaction(SIGTERM, &action, 0) < 0 || sigaction(SIGINT, &action, 0) < 0) return -errno;
    return 0;
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
    (void)context;
    int saved = errno;
    uintptr_t base = atomic_load(&guard_base), at = (uintptr_t)info->si_addr;
    size_t bytes = atomic_load(&guard_bytes);
    if (bytes != 0 && at >= base && at - base < bytes) {
        uintptr_t page = at & ~(uintptr_t)4095;
        void *zeros = mmap((void *)page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zeros != MAP_FAILED) {
            atomic_store(&guard_faulted, 1);
            errno = saved;
            return;
        }
    }
    // Not ours: let the instruction fault again with the default action.
    signal(number, SIG_DFL);
    errno = saved;
}

int gemel_guard_mapping(void *base, size_t bytes) {
    struct sigaction action;
    atomic_store(&guard_bytes, 0);
    atomic_store(&guard_faulted, 0);
    if (bytes == 0) return 0;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    atomic_store(&guard_base, (uintptr_t)base);
    atomic_store(&guard_bytes, bytes);
    return sigaction(SIGBUS, &action, 0) < 0 ? -errno : 0;
}

int gemel_mapping_faulted(void) { return atomic_load(&guard_faulted); }
