#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "limit.h"

// Begins a PDU to the host with its sequence numbers; `queue` ends it.
uint8_t *answer(struct connection *c, uint8_t opcode, const uint8_t *tag) {
    uint8_t *header = c->headers[c->headers_used];
    memset(header, 0, header_length);
    header[0] = opcode;
    header[1] = 0x80;
    memcpy(header + 16, tag, 4);
    put32(header + 28, c->command_sequence);
    put32(header + 32, c->command_sequence + window - 1);
    return header;
}

void queue(struct connection *c, uint8_t *header, const void *data, uint32_t length) {
    static const uint8_t zeros[4];
    put24(header + 5, length);
    c->headers_used++;
    c->vectors[c->queued++] = (struct iovec){header, header_length};
    if (length) c->vectors[c->queued++] = (struct iovec){(void *)data, length};
    if (length & 3) c->vectors[c->queued++] = (struct iovec){(void *)zeros, 4 - (length & 3)};
}

// There is room for the answers to one more command, however large.
bool room(const struct connection *c) {
    return c->headers_used + 64 <= headers_capacity && c->queued + 160 <= vectors_capacity && c->scratch_used < window;
}

// Sends what is queued; false: the connection is lost.
bool flush(struct connection *c) {
    while (c->sent < c->queued) {
        uint32_t count = c->queued - c->sent;
        struct msghdr message = {
            .msg_iov = c->vectors + c->sent, .msg_iovlen = count < vectors_per_call ? count : vectors_per_call};
        ssize_t left = sendmsg(c->descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (left < 0) {
            if (errno == EINTR) continue;
            return errno == EAGAIN;
        }
        while (c->sent < c->queued && (size_t)left >= c->vectors[c->sent].iov_len)
            left -= c->vectors[c->sent++].iov_len;
        if (left > 0) {
            struct iovec *v = &c->vectors[c->sent];
            v->iov_base = (uint8_t *)v->iov_base + left;
            v->iov_len -= left;
        }
    }
    c->sent = c->queued = c->headers_used = c->scratch_used = 0;
    return true;
}
