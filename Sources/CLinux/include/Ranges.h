// Ranges of a file or device: giving room back, taking it, and asking what is there. Each call answers a result that is
// not negative, or the negated errno.
#pragma once
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Makes a range read as zeros, giving its space back where the device can.
static inline int gemel_punch(int fd, int64_t offset, int64_t count) {
    const int keep_size = 1, punch_hole = 2, zero_range = 16;
    if (syscall(SYS_fallocate, fd, keep_size | punch_hole, offset, count) == 0) return 0;
    if (errno != EOPNOTSUPP) return -errno;
    return syscall(SYS_fallocate, fd, keep_size | zero_range, offset, count) == 0 ? 0 : -errno;
}

/// Takes room in the file system for a range; what is there stays. 0 or the negated errno.
static inline int gemel_allocate(int fd, int64_t offset, int64_t count) {
    const int keep_size = 1;
    return syscall(SYS_fallocate, fd, keep_size, offset, count) == 0 ? 0 : -errno;
}

/// The next data (kind 0) or hole (kind 1) from `offset` on; INT64_MAX when there is no more data, else the negated
/// errno.
static inline int64_t gemel_seek(int fd, int64_t offset, int kind) {
    const int seek_data = 3, seek_hole = 4;
    off_t found = lseek(fd, offset, kind == 0 ? seek_data : seek_hole);
    if (found >= 0) return found;
    return errno == ENXIO ? INT64_MAX : -errno;
}
