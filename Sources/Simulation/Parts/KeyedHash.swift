import ISCSIFormats

/// The simulator's stand-in for HMAC-SHA-256: a keyed function of 32 bytes, the same for the same key and message.
/// It is not cryptography; inside one process nobody attacks it.
enum KeyedHash {
    static func digest(secret: UInt64, message: InlineArray<128, UInt8>, count: Int) -> InlineArray<32, UInt8> {
        var lanes: [UInt64] = [secret, ~secret, secret &* 3, secret ^ 0xA5A5_A5A5_A5A5_A5A5]
        for index in 0..<Swift.min(Swift.max(count, 0), 128) {
            for lane in 0..<4 {
                lanes[lane] = mix(lanes[lane] ^ UInt64(message[index]) &+ UInt64(lane * 131 + index))
            }
        }
        var digest = InlineArray<32, UInt8>(repeating: 0)
        for index in 0..<32 {
            let word = mix(lanes[index / 8] ^ UInt64(count))
            digest[index] = UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
        }
        return digest
    }

    /// The simulator's stand-in for a digest of CHAP: the credential's index is the secret.
    static func digest(_ request: CHAPDigestRequest) -> InlineArray<32, UInt8> {
        var word = mix(UInt64(request.credential) << 16 | UInt64(request.identifier) << 8
            | UInt64(request.algorithm.rawValue))
        for byte in request.challenge { word = mix(word ^ UInt64(byte)) }
        var digest = InlineArray<32, UInt8>(repeating: 0)
        for index in 0..<32 {
            if index % 8 == 0 { word = mix(word) }
            digest[index] = UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
        }
        return digest
    }

    static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
