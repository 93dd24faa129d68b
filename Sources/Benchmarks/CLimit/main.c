#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "limit.h"

uint8_t *ram;
uint64_t ram_size;
static int poll_set, listener;

// One whole PDU whose data, if it is a write's, is in its place; other data is at `data`. False: connection lost.
static bool handle(struct connection *c, const uint8_t *request, const uint8_t *data, uint32_t length) {
    switch (request[0] & 0x3F) {
    case 0x01: return c->full_feature && command(c, request);
    case 0x05: return c->full_feature && data_out(c, request);
    case 0x03: return !c->full_feature && login(c, request, data, length);
    case 0x00: {
        if (big32(request + 16) == 0xFFFFFFFF) return true;
        uint8_t *header = answer(c, 0x20, request + 16);
        put32(header + 20, 0xFFFFFFFF);
        put32(header + 24, ++c->status_sequence);
        queue(c, header, NULL, 0);
        return true;
    }
    case 0x06: {
        uint8_t *header = answer(c, 0x26, request + 16);
        put32(header + 24, ++c->status_sequence);
        queue(c, header, NULL, 0);
        c->closing = true;
        return true;
    }
    default: return false;
    }
}

// Handles every PDU in the input as far as there is room for answers.
static bool parse(struct connection *c) {
    while (c->end - c->start >= header_length && room(c) && !c->closing) {
        const uint8_t *request = c->input + c->start;
        uint32_t available = c->end - c->start, length = big24(request + 5), padded = (length + 3) & ~3u;
        bool data_bearing = length && ((request[0] & 0x3F) == 1 || (request[0] & 0x3F) == 5);
        if (length > receive_limit || request[4]) return false;
        if (!data_bearing) {
            if (available < header_length + padded) break;
            if (!handle(c, request, request + header_length, length)) return false;
            c->start += header_length + padded;
            continue;
        }
        if (!c->full_feature || length & 3) return false;
        uint8_t *place = data_place(c, request, length);
        if (!place) return false;
        uint32_t here = available - header_length < length ? available - header_length : length;
        // A short rest is waited for: one more receive call costs more than the copy.
        if (here < length && length - here < 8192 && length + header_length < input_capacity / 2) break;
        memcpy(place, request + header_length, here);
        c->start += header_length + here;
        if (here < length) {
            memcpy(c->after, request, header_length);
            c->place = place + here;
            c->place_left = length - here;
            break;
        }
        if (!handle(c, request, NULL, length)) return false;
    }
    uint32_t rest = c->end - c->start;
    if (rest && c->start) memmove(c->input, c->input + c->start, rest);
    c->start = 0;
    c->end = rest;
    return true;
}

static bool receive(struct connection *c) {
    bool direct = c->place_left > 0;
    void *to = direct ? (void *)c->place : c->input + c->end;
    ssize_t count = recv(c->descriptor, to, direct ? c->place_left : input_capacity - c->end, MSG_DONTWAIT);
    if (count <= 0) return count < 0 && (errno == EAGAIN || errno == EINTR);
    if (!direct) {
        c->end += count;
        return true;
    }
    c->place += count;
    c->place_left -= count;
    return c->place_left || handle(c, c->after, NULL, big24(c->after + 5));
}

static bool serve(struct connection *c, uint32_t events) {
    if (c->waits_writable) {
        if (!(events & EPOLLOUT)) return !(events & (EPOLLERR | EPOLLHUP));
        if (!flush(c)) return false;
        if (c->queued) return true;
    } else if (!receive(c)) {
        return false;
    }
    // What found no room for its answer is taken up as soon as the answers before it have left.
    bool again;
    do {
        if (!c->place_left && !parse(c)) return false;
        again = !room(c);
        if (!flush(c)) return false;
    } while (again && !c->queued);
    if (c->closing && !c->queued) return false;
    bool waits = c->queued > 0;
    if (waits != c->waits_writable) {
        struct epoll_event event = {.events = waits ? EPOLLOUT : EPOLLIN, .data.ptr = c};
        epoll_ctl(poll_set, EPOLL_CTL_MOD, c->descriptor, &event);
        c->waits_writable = waits;
    }
    return true;
}

static void accept_one(void) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
    if (descriptor < 0) return;
    struct connection *c = calloc(1, sizeof *c);
    if (!c) {
        close(descriptor);
        return;
    }
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->descriptor = descriptor;
    c->host_receive_limit = 8192;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poll_set, EPOLL_CTL_ADD, descriptor, &event);
}

static int listen_at(int port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) || listen(descriptor, 128)) return -1;
    return descriptor;
}

int main(int count, char **words) {
    int port = count == 3 ? atoi(words[1]) : 0;
    long mebibytes = count == 3 ? atol(words[2]) : 0;
    if (port < 1 || port > 65535 || mebibytes < 1 || mebibytes > 1 << 20) {
        fprintf(stderr, "usage: gemel-limit PORT MEBIBYTES    (any IQN, LUN 0, at 127.0.0.1:PORT)\n");
        return 64;
    }
    ram_size = (uint64_t)mebibytes << 20;
    ram = mmap(NULL, ram_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    poll_set = epoll_create1(EPOLL_CLOEXEC);
    if (ram == MAP_FAILED || poll_set < 0 || (listener = listen_at(port)) < 0) {
        fprintf(stderr, "gemel-limit: port %d, %ld MiB: %s\n", port, mebibytes, strerror(errno));
        return 75;
    }
    // All of it is there before the first command: page faults are no part of the limit.
    madvise(ram, ram_size, MADV_HUGEPAGE);
    memset(ram, 0, ram_size);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll_set, EPOLL_CTL_ADD, listener, &event);
    printf("READY 127.0.0.1:%d\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(poll_set, events, 64, -1);
        for (int index = 0; index < ready; index++) {
            struct connection *c = events[index].data.ptr;
            if (!c) {
                accept_one();
            } else if (!serve(c, events[index].events)) {
                close(c->descriptor);
                free(c);
            }
        }
    }
}
