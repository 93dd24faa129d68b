#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "limit.h"

// The one key of the host that matters: how long our Data-In PDUs may be.
static void take_keys(struct connection *c, const uint8_t *text, uint32_t length) {
    static const char key[] = "MaxRecvDataSegmentLength=";
    for (uint32_t at = 0; at < length;) {
        const char *pair = (const char *)text + at;
        uint32_t size = strnlen(pair, length - at);
        if (size > sizeof key - 1 && size < 64 && !memcmp(pair, key, sizeof key - 1)) {
            char number[64] = {0};
            memcpy(number, pair + sizeof key - 1, size - (sizeof key - 1));
            long value = strtol(number, NULL, 10);
            if (value >= sector_size && value < 1 << 24) c->host_receive_limit = value & ~(sector_size - 1);
        }
        at += size + 1;
    }
}

// Answers a login request: any name is let in, every key gets the answer that is best for speed (RFC 7143 §6, §13).
bool login(struct connection *c, const uint8_t *request, const uint8_t *text, uint32_t length) {
    uint8_t stage = request[1] >> 2 & 3, next = request[1] & 3;
    bool transit = request[1] & 0x80;
    take_keys(c, text, length);
    if (c->scratch_used >= window) return false;
    if (c->status_sequence == 0) c->command_sequence = big32(request + 24);
    uint8_t *header = answer(c, 0x23, request + 16);
    header[1] = request[1] & 0xCF;
    memcpy(header + 8, request + 8, 6);
    header[15] = 1;
    put32(header + 24, ++c->status_sequence);
    char *keys = (char *)c->scratch[c->scratch_used++];
    int used = 0;
    if (stage == 0) {
        used = snprintf(keys, scratch_size, "AuthMethod=None%c", 0);
    } else if (length > 0) {
        used = snprintf(
            keys, scratch_size,
            "TargetPortalGroupTag=1%cHeaderDigest=None%cDataDigest=None%cInitialR2T=Yes%cImmediateData=Yes%c"
            "MaxRecvDataSegmentLength=%d%cMaxBurstLength=%d%cFirstBurstLength=%d%cMaxConnections=1%c"
            "MaxOutstandingR2T=1%cErrorRecoveryLevel=0%cDefaultTime2Wait=0%cDefaultTime2Retain=0%c"
            "DataPDUInOrder=Yes%cDataSequenceInOrder=Yes%c",
            0, 0, 0, 0, 0, receive_limit, 0, burst_limit, 0, receive_limit, 0, 0, 0, 0, 0, 0, 0, 0);
    }
    queue(c, header, keys, used);
    c->full_feature = transit && next == 3;
    return true;
}
