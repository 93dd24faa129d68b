#include <string.h>
#include "limit.h"

// Ends a command with a SCSI Response; `key` is 0 for GOOD, else a sense key for CHECK CONDITION.
static void respond(struct connection *c, const uint8_t *tag, uint8_t key, uint8_t code) {
    uint8_t *header = answer(c, 0x21, tag);
    put32(header + 24, ++c->status_sequence);
    if (!key) {
        queue(c, header, NULL, 0);
        return;
    }
    header[3] = 2;
    uint8_t *sense = c->scratch[c->scratch_used++];
    memset(sense, 0, 20);
    sense[1] = 18;
    sense[2] = 0x70;
    sense[4] = key;
    sense[9] = 10;
    sense[14] = code;
    queue(c, header, sense, 20);
}

// Data-In with the status in its last PDU.
static void send_data(struct connection *c, const uint8_t *tag, const uint8_t *data, uint32_t length, uint32_t wanted) {
    uint32_t at = 0, sequence = 0;
    do {
        uint32_t count = length - at < c->host_receive_limit ? length - at : c->host_receive_limit;
        bool last = at + count == length;
        uint8_t *header = answer(c, 0x25, tag);
        header[1] = last ? 0x81 : 0;
        put32(header + 20, 0xFFFFFFFF);
        if (last) put32(header + 24, ++c->status_sequence);
        put32(header + 36, sequence++);
        put32(header + 40, at);
        if (last && wanted > length) {
            header[1] |= 2;
            put32(header + 44, wanted - length);
        }
        queue(c, header, data + at, count);
        at += count;
    } while (at < length);
}

// A small answer that is made on the spot.
static void send_small(struct connection *c, const uint8_t *request, const uint8_t *bytes, uint32_t length) {
    uint32_t wanted = big32(request + 20);
    uint8_t *place = c->scratch[c->scratch_used++];
    memcpy(place, bytes, length);
    send_data(c, request + 16, place, length < wanted ? length : wanted, wanted);
}

static void request_data(struct connection *c, struct solicited *write) {
    uint32_t left = write->length - write->requested;
    uint32_t count = left < burst_limit ? left : burst_limit;
    uint8_t *header = answer(c, 0x31, write->tag);
    put32(header + 20, (uint32_t)(write - c->solicited));
    put32(header + 24, c->status_sequence + 1);
    put32(header + 36, write->r2t_sequence++);
    put32(header + 40, write->requested);
    put32(header + 44, count);
    write->requested += count;
    queue(c, header, NULL, 0);
}

// Where a READ or WRITE (10) or (16) goes; false: out of range, or not one of them.
static bool range(const uint8_t *cdb, uint64_t *offset, uint64_t *length) {
    bool ten = cdb[0] == 0x28 || cdb[0] == 0x2A;
    uint64_t block = ten ? big32(cdb + 2) : big64(cdb + 2), count = ten ? big16(cdb + 7) : big32(cdb + 10);
    uint64_t blocks = ram_size / sector_size;
    *offset = block * sector_size;
    *length = count * sector_size;
    return block <= blocks && count <= blocks - block;
}

// Place of a PDU's data in RAM, where the receiver puts it; NULL when the bounds are wrong.
uint8_t *data_place(struct connection *c, const uint8_t *request, uint32_t length) {
    uint64_t offset, size;
    if ((request[0] & 0x3F) == 5) {
        uint32_t index = big32(request + 20), at = big32(request + 40);
        if (index >= window || !c->solicited[index].used) return NULL;
        struct solicited *write = &c->solicited[index];
        return at <= write->length && length <= write->length - at ? ram + write->offset + at : NULL;
    }
    const uint8_t *cdb = request + 32;
    if ((cdb[0] != 0x2A && cdb[0] != 0x8A) || !range(cdb, &offset, &size) || length > size) return NULL;
    return ram + offset;
}

static void write_command(struct connection *c, const uint8_t *request, uint64_t offset, uint64_t length) {
    uint32_t immediate = big24(request + 5);
    if (immediate >= length) {
        respond(c, request + 16, 0, 0);
        return;
    }
    for (uint32_t index = 0; index < window; index++) {
        struct solicited *write = &c->solicited[index];
        if (write->used) continue;
        *write = (struct solicited){.used = true, .offset = offset, .length = length, .received = immediate,
                                    .requested = immediate};
        memcpy(write->tag, request + 16, 4);
        request_data(c, write);
        return;
    }
    respond(c, request + 16, 0x0B, 0x55);
}

// A SCSI command whose immediate data is in its place already; false: the connection is lost.
bool command(struct connection *c, const uint8_t *request) {
    static const uint8_t inquiry[36] = {0, 0, 5, 2, 31, 0, 0, 2, 'G', 'E', 'M', 'E', 'L', ' ', ' ', ' ', 'L', 'I', 'M',
        'I', 'T', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', '0', '0', '0', '1'};
    static const uint8_t luns[16] = {0, 0, 0, 8};
    const uint8_t *cdb = request + 32;
    uint8_t small[32] = {0};
    uint64_t offset, length, last = ram_size / sector_size - 1;
    if (!(request[0] & 0x40)) c->command_sequence = big32(request + 24) + 1;
    switch (cdb[0]) {
    case 0x28: case 0x88:
        if (!range(cdb, &offset, &length) || length > 16 << 20) return respond(c, request + 16, 5, 0x21), true;
        send_data(c, request + 16, ram + offset, length, big32(request + 20));
        return true;
    case 0x2A: case 0x8A:
        if (!range(cdb, &offset, &length) || length > 16 << 20) return respond(c, request + 16, 5, 0x21), true;
        write_command(c, request, offset, length);
        return true;
    case 0x00: case 0x35: case 0x91: respond(c, request + 16, 0, 0); return true;
    case 0x12: send_small(c, request, inquiry, sizeof inquiry); return true;
    case 0xA0: send_small(c, request, luns, sizeof luns); return true;
    case 0x25:
        put32(small, last < 0xFFFFFFFF ? (uint32_t)last : 0xFFFFFFFF);
        put32(small + 4, sector_size);
        send_small(c, request, small, 8);
        return true;
    case 0x9E:
        put64(small, last);
        put32(small + 8, sector_size);
        send_small(c, request, small, 32);
        return true;
    default: respond(c, request + 16, 5, 0x20); return true;
    }
}

// A Data-Out PDU whose data is in its place already.
bool data_out(struct connection *c, const uint8_t *request) {
    uint32_t index = big32(request + 20);
    if (index >= window || !c->solicited[index].used) return false;
    struct solicited *write = &c->solicited[index];
    write->received += big24(request + 5);
    if (!(request[1] & 0x80)) return true;
    if (write->received >= write->length) {
        respond(c, write->tag, 0, 0);
        write->used = false;
    } else if (write->requested < write->length) {
        request_data(c, write);
    }
    return true;
}
