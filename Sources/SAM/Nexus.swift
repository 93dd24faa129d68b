/// An I_T nexus (SAM-6 §4.7): one initiator port logged in to one target port. The transport chooses the index when a
/// session reaches its full-feature phase, and reuses it only after it reported the nexus lost.
@usableFromInline
package struct NexusIndex: Hashable, Sendable {
    @usableFromInline package var raw: UInt16
    @inlinable package init(_ raw: UInt16) { self.raw = raw }
}

/// One command between transport and device server: a slot of the transport's command table (low 16 bits) and the
/// slot's generation (high 16 bits), so that a late word about an ended command is recognised. The slot also names
/// the command's parameter page (`Frames.parameter`), its page list, and its block operation.
@usableFromInline
package struct CommandHandle: Hashable, Sendable {
    @usableFromInline package var raw: UInt32
    @inlinable package init(slot: Int, generation: UInt16) { raw = UInt32(slot) | UInt32(generation) << 16 }
    @inlinable package var slot: Int { Int(raw & 0xFFFF) }
    @inlinable package var generation: UInt16 { UInt16(truncatingIfNeeded: raw >> 16) }
}

/// Who came: what the device server is told of a nexus. The pointer is valid during the call only.
@usableFromInline
package struct NexusIdentity {
    /// Index of the target (its name in the configuration) that the initiator logged in to.
    @usableFromInline package var target: UInt16
    /// Which of the device server's views of the units the initiator has.
    @usableFromInline package var access: UInt16
    /// The initiator port name of RFC 7143 §4.4.1 (iSCSI name, `,i,0x`, ISID in hexadecimal), UTF-8.
    @usableFromInline package var initiatorPort: UnsafeRawBufferPointer
    package init(target: UInt16, access: UInt16 = 0, initiatorPort: UnsafeRawBufferPointer) {
        self.target = target
        self.access = access
        self.initiatorPort = initiatorPort
    }
}
