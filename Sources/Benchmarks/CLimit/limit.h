// gemel-limit: the physical limit of an iSCSI target on one thread. It serves RAM, checks next to nothing, and has no
// features: what a target with features reaches of its rate is the figure that counts.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    header_length = 48,
    sector_size = 512,
    // Our MaxRecvDataSegmentLength and FirstBurstLength: a write up to this size comes as immediate data.
    receive_limit = 256 << 10,
    burst_limit = 1 << 20,
    input_capacity = 64 << 10,
    // Commands that a host may have outstanding on one connection.
    window = 256,
    headers_capacity = 4096,
    vectors_capacity = 2 * headers_capacity,
    vectors_per_call = 1024,
    scratch_size = 1024,
};

// A write whose data comes in sequences that we asked for.
struct solicited {
    bool used;
    uint8_t tag[4];
    uint64_t offset;
    uint32_t length, received, requested;
    uint32_t r2t_sequence;
};

struct connection {
    int descriptor;
    bool full_feature, waits_writable, closing;
    uint32_t status_sequence, command_sequence, host_receive_limit;
    // Unread input is start..<end.
    uint32_t start, end;
    // Payload that goes straight to its place in RAM, then `padding` bytes; what follows is in `after`.
    uint8_t *place;
    uint32_t place_left;
    uint8_t after[header_length];
    // Output not yet sent: vectors sent..<queued.
    uint32_t sent, queued, headers_used, scratch_used;
    struct solicited solicited[window];
    struct iovec vectors[vectors_capacity];
    uint8_t headers[headers_capacity][header_length];
    uint8_t scratch[window][scratch_size];
    uint8_t input[input_capacity];
};

extern uint8_t *ram;
extern uint64_t ram_size;

static inline uint32_t big16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static inline uint32_t big24(const uint8_t *p) { return (uint32_t)p[0] << 16 | big16(p + 1); }
static inline uint32_t big32(const uint8_t *p) { uint32_t v; __builtin_memcpy(&v, p, 4); return __builtin_bswap32(v); }
static inline uint64_t big64(const uint8_t *p) { uint64_t v; __builtin_memcpy(&v, p, 8); return __builtin_bswap64(v); }
static inline void put24(uint8_t *p, uint32_t v) { p[0] = v >> 16; p[1] = v >> 8; p[2] = v; }
static inline void put32(uint8_t *p, uint32_t v) { v = __builtin_bswap32(v); __builtin_memcpy(p, &v, 4); }
static inline void put64(uint8_t *p, uint64_t v) { v = __builtin_bswap64(v); __builtin_memcpy(p, &v, 8); }

// output.c
uint8_t *answer(struct connection *c, uint8_t opcode, const uint8_t *tag);
void queue(struct connection *c, uint8_t *header, const void *data, uint32_t length);
bool room(const struct connection *c);
bool flush(struct connection *c);
// login.c
bool login(struct connection *c, const uint8_t *request, const uint8_t *text, uint32_t length);
// scsi.c
bool command(struct connection *c, const uint8_t *request);
bool data_out(struct connection *c, const uint8_t *request);
uint8_t *data_place(struct connection *c, const uint8_t *request, uint32_t length);
