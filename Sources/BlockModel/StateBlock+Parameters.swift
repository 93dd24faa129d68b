import Primitives

// What parameter commands keep in the state block.

extension StateBlock {
    private var bytes: UnsafeRawPointer { UnsafeRawPointer(base) }

    /// Present values of changeable mode parameters, as differences from their defaults; the device server knows what
    /// they mean.
    package var currentMode: SIMD32<UInt8> {
        get { bytes.loadUnaligned(fromByteOffset: 64, as: SIMD32<UInt8>.self) }
        nonmutating set { base.storeBytes(of: newValue, toByteOffset: 64, as: SIMD32<UInt8>.self) }
    }

    /// Saved values: what a reset and a power cycle make the present ones.
    package var savedMode: SIMD32<UInt8> {
        get { bytes.loadUnaligned(fromByteOffset: 96, as: SIMD32<UInt8>.self) }
        nonmutating set { base.storeBytes(of: newValue, toByteOffset: 96, as: SIMD32<UInt8>.self) }
    }

    /// A reset of the logical unit: mode parameters go back to their saved values (SPC-4 §6.13.5).
    package func resetParameters() { currentMode = savedMode }

    /// The unit loses power: as a reset, and what SET TIMESTAMP set is forgotten (SPC-4 §5.2).
    package func cyclePowerOfParameters() {
        resetParameters()
        timestampOrigin = 0
        timestampOffset = 0
    }

    /// How a self-test ended (SPC-4 §7.3.17): SELF-TEST CODE in bits 7 to 5, SELF-TEST RESULTS in 3 to 0.
    package struct SelfTest: Equatable, Sendable {
        package var outcome: UInt8
        /// Accumulated power-on hours when it ended.
        package var hours: UInt16
        package init(outcome: UInt8, hours: UInt16) {
            self.outcome = outcome
            self.hours = hours
        }
    }

    /// Self-tests that are remembered.
    package static var selfTestCount: Int { 20 }

    /// The `n`-th latest self-test, from 0; nil when there were not so many. One that ended well in the default form
    /// (all zero) is told from none by a bit that the outcome does not use.
    package func selfTest(_ n: Int) -> SelfTest? {
        guard n >= 0, n < Self.selfTestCount else { return nil }
        let raw = bytes.byte(128 + n * 3)
        return raw == 0 ? nil : SelfTest(outcome: raw & 0xEF, hours: bytes.little16(129 + n * 3))
    }

    /// Remembers a self-test under the write pointer; the oldest is forgotten.
    package func append(_ test: SelfTest) {
        (base + 131).copyMemory(from: base + 128, byteCount: (Self.selfTestCount - 1) * 3)
        base.put(byte: test.outcome | 0x10, 128)
        base.put(little16: test.hours, 129)
    }

    /// The most bytes of identifying information.
    package static var informationLimit: Int { 64 }

    /// Identifying information of the unit (SPC-4 §6.32).
    package var information: [UInt8] {
        get { (0..<min(Int(bytes.byte(1344)), Self.informationLimit)).map { bytes.byte(1360 + $0) } }
        nonmutating set {
            let kept = newValue.prefix(Self.informationLimit)
            base.put(byte: UInt8(kept.count), 1344)
            for index in 0..<Self.informationLimit {
                base.put(byte: index < kept.count ? kept[index] : 0, 1360 + index)
            }
        }
    }

    /// Who set the clock of the unit (SPC-4 §5.2): TIMESTAMP ORIGIN 010b after SET TIMESTAMP, else 000b.
    package var timestampOrigin: UInt8 {
        get { bytes.byte(1345) }
        nonmutating set { base.put(byte: newValue, 1345) }
    }

    /// Milliseconds from the controllers' clock to the unit's, modulo 2^64.
    package var timestampOffset: UInt64 {
        get { bytes.little64(1348) }
        nonmutating set { base.put(little64: newValue, 1348) }
    }
}
