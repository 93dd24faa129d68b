// Linux calls that Swift's Glibc module does not offer: macros, and calls behind _GNU_SOURCE. No feature macros here:
// the types of a shim header must be the ones that every other module sees. Every `gemel_` call answers a result that
// is not negative, or the negated errno, so that no caller has to read errno after another call may have set it.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include "Ranges.h"
#include "Supervision.h"
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// Clock.

/// CLOCK_BOOTTIME in nanoseconds.
static inline uint64_t gemel_boottime(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

// Files.

/// Opens a device for unbuffered transfers.
static inline int gemel_open_direct(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC | __O_DIRECT);
    return fd < 0 ? -errno : fd;
}

/// Opens a file for unbuffered, synchronous transfers (the witness).
static inline int gemel_open_direct_sync(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC | O_DSYNC | __O_DIRECT);
    if (fd < 0 && errno == EINVAL) fd = open(path, O_RDWR | O_CLOEXEC | O_DSYNC);
    return fd < 0 ? -errno : fd;
}

/// Bytes of a block device.
static inline int64_t gemel_block_bytes(int fd) {
    uint64_t bytes = 0;
    return ioctl(fd, _IOR(0x12, 114, size_t), &bytes) < 0 ? -errno : (int64_t)bytes;
}

/// Open file description lock (F_OFD_*) over the whole file; the numbers are the kernel's, behind _GNU_SOURCE in glibc.
static inline int gemel_ofd(int fd, int command, short type, short *found) {
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd, command, &lock) < 0) return -errno;
    if (found) *found = lock.l_type;
    return 0;
}

/// Takes the write lock without waiting; -EAGAIN when another description has it.
static inline int gemel_try_lock(int fd) {
    int result = gemel_ofd(fd, 37, F_WRLCK, 0);
    return result == -EACCES ? -EAGAIN : result;
}

static inline int gemel_unlock(int fd) { return gemel_ofd(fd, 37, F_UNLCK, 0); }

/// 1 when another description has the lock, 0 when none has; takes nothing.
static inline int gemel_lock_is_held(int fd) {
    short found = F_UNLCK;
    int result = gemel_ofd(fd, 36, F_WRLCK, &found);
    return result < 0 ? result : found != F_UNLCK;
}

// Processes.

static inline int gemel_pidfd_open(int pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

/// Sends a signal to the process that a pidfd names; 0 only asks whether it could.
static inline int gemel_pidfd_signal(int pidfd, int number) {
    return syscall(SYS_pidfd_send_signal, pidfd, number, 0, 0) < 0 ? -errno : 0;
}

/// 1 when the process that a pidfd names has ended.
static inline int gemel_pidfd_ended(int pidfd) {
    struct pollfd p = {.fd = pidfd, .events = POLLIN, .revents = 0};
    int result = poll(&p, 1, 0);
    return result < 0 ? -errno : result > 0;
}

// Sockets.

/// An address in numbers: `family` 4 or 6; 0 when the text is none.
static inline int gemel_address(const char *text, uint16_t port, int family, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (family == 4) {
        struct sockaddr_in *a = (struct sockaddr_in *)out;
        a->sin_family = AF_INET;
        a->sin_port = htons(port);
        return inet_pton(AF_INET, text, &a->sin_addr) == 1 ? (int)sizeof *a : 0;
    }
    struct sockaddr_in6 *a = (struct sockaddr_in6 *)out;
    a->sin6_family = AF_INET6;
    a->sin6_port = htons(port);
    return inet_pton(AF_INET6, text, &a->sin6_addr) == 1 ? (int)sizeof *a : 0;
}

static inline void gemel_no_delay(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/// A peer that vanished is noticed after about a minute although nothing is sent to it.
static inline void gemel_keep_alive(int fd) {
    int one = 1, idle = 30, interval = 10, probes = 3;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static inline int gemel_listen_tcp(const char *text, uint16_t port, int family) {
    struct sockaddr_storage address;
    int one = 1, size = gemel_address(text, port, family, &address);
    if (size == 0) return -EINVAL;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (family == 6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, (socklen_t)size) < 0 || listen(fd, 128) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

/// The port that a listener was given, for listeners on port 0.
static inline int gemel_local_port(int fd) {
    struct sockaddr_storage a;
    socklen_t size = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &size) < 0) return -errno;
    if (a.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&a)->sin_port);
    return ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
}

/// Begins to connect; the socket is writable when it is decided.
static inline int gemel_dial_tcp(const char *text, uint16_t port, int family) {
    struct sockaddr_storage address;
    int size = gemel_address(text, port, family, &address);
    if (size == 0) return -EINVAL;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&address, (socklen_t)size) < 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

/// The outcome of a connect: 0, or the negated errno.
static inline int gemel_socket_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -errno;
    return -error;
}

static inline int gemel_unix_address(const char *path, struct sockaddr_un *out) {
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof out->sun_path) return -ENAMETOOLONG;
    memcpy(out->sun_path, path, strlen(path));
    return 0;
}

/// Replaces whatever socket has the path: its owner must hold a lock that proves nobody else serves it.
static inline int gemel_listen_unix(const char *path) {
    struct sockaddr_un address;
    if (gemel_unix_address(path, &address) < 0) return -ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(path, 0600) < 0 || listen(fd, 8) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static inline int gemel_dial_unix(const char *path) {
    struct sockaddr_un address;
    if (gemel_unix_address(path, &address) < 0) return -ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static inline int gemel_accept(int fd) {
    int stream = (int)syscall(SYS_accept4, fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return stream < 0 ? -errno : stream;
}

/// Receives into a scatter list without waiting.
static inline int64_t gemel_receive(int fd, void *slices, int count) {
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = (struct iovec *)slices;
    message.msg_iovlen = (size_t)count;
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

/// Sends from a gather list without waiting and without SIGPIPE.
static inline int64_t gemel_transmit(int fd, void *slices, int count) {
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = (struct iovec *)slices;
    message.msg_iovlen = (size_t)count;
    ssize_t n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

/// Sends a datagram to a unix socket, whose path may begin with `@` (abstract): sd_notify.
static inline int gemel_notify(const char *path, const char *text) {
    struct sockaddr_un address;
    size_t length = strlen(path);
    if (gemel_unix_address(path, &address) < 0) return -ENAMETOOLONG;
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    socklen_t size = (socklen_t)(__builtin_offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t n = sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, size);
    int error = errno;
    close(fd);
    return n < 0 ? -error : 0;
}

struct gemel_credentials {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
};

/// Who is at the other end of a unix socket.
static inline int gemel_peer(int fd, struct gemel_credentials *out) {
    socklen_t size = sizeof *out;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &size) < 0 ? -errno : 0;
}

/// Sends `bytes` together with two descriptors.
static inline int gemel_send_descriptors(int fd, const void *bytes, size_t count, int first, int second) {
    union { struct cmsghdr header; char room[CMSG_SPACE(2 * sizeof(int))]; } control;
    struct iovec slice = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message;
    int descriptors[2] = {first, second};
    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control);
    message.msg_iov = &slice;
    message.msg_iovlen = 1;
    message.msg_control = control.room;
    message.msg_controllen = sizeof control.room;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof descriptors);
    memcpy(CMSG_DATA(c), descriptors, sizeof descriptors);
    ssize_t n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : (n == (ssize_t)count ? 0 : -EPROTO);
}

/// Receives what `gemel_send_descriptors` sent; on success both descriptors are the caller's.
static inline int gemel_receive_descriptors(int fd, void *bytes, size_t count, int *first, int *second) {
    union { struct cmsghdr header; char room[CMSG_SPACE(2 * sizeof(int))]; } control;
    struct iovec slice = {.iov_base = bytes, .iov_len = count};
    struct msghdr message;
    int descriptors[2] = {-1, -1}, got = 0;
    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control);
    message.msg_iov = &slice;
    message.msg_iovlen = 1;
    message.msg_control = control.room;
    message.msg_controllen = sizeof control.room;
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) return -errno;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        got = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(descriptors, CMSG_DATA(c), (size_t)(got > 2 ? 2 : got) * sizeof(int));
    }
    if (n != (ssize_t)count || got != 2 || (message.msg_flags & MSG_CTRUNC)) {
        for (int i = 0; i < 2; i++) if (descriptors[i] >= 0) close(descriptors[i]);
        return -EPROTO;
    }
    *first = descriptors[0];
    *second = descriptors[1];
    return 0;
}

// Signals (signals.c): the handlers are C because they may run between any two instructions of Swift's runtime.

/// From now on SIGTERM and SIGINT add 1 to the eventfd `wake`; -1 gives both their default meaning back.
int gemel_stop_signals(int wake);

/// Guards one mapping against SIGBUS: a page that the file no longer has becomes anonymous zeros, and the guard
/// remembers it. One guard at a time; `bytes` 0 takes the guard away.
int gemel_guard_mapping(void *base, size_t bytes);

/// 1 when the guarded mapping had a fault since `gemel_guard_mapping`.
int gemel_mapping_faulted(void);
