// What a supervisor of processes needs: pidfds, signals as a file, and the parent-death signal. C functions with
// variable arguments cannot be called from Swift, so each has a plain one here.
#pragma once
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/// glibc 2.34 and later; older headers do not declare it.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);
/// In the child: close every file descriptor from `first` on.
static inline int gemel_spawn_closefrom(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

/// The environment, to pass on.
extern char **environ;
static inline char **gemel_environment(void) { return environ; }

/// The signal that this process gets when the thread that made it ends.
static inline int gemel_set_parent_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }
