import Primitives

/// A format or sanitize operation of a unit (SBC-4 §4.33, §4.11), as its state block keeps it: both controllers answer
/// by it while it goes on, and whoever carries it on after a takeover or a power loss finds it here.
package struct BackgroundOperation: Equatable, Sendable {
    /// Which command began it.
    package enum Kind: UInt8, Sendable {
        case format = 1
        /// SANITIZE with OVERWRITE.
        case overwrite = 2
        /// SANITIZE with BLOCK ERASE.
        case blockErase = 3
    }
    /// What holds for it.
    package struct Flags: OptionSet, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// It ended with an error: the medium is format corrupt, or the unit is in the sanitize failure mode.
        package static var failed: Self { Self(rawValue: 1) }
        /// AUSE: EXIT FAILURE MODE ends that mode.
        package static var unrestricted: Self { Self(rawValue: 2) }
        /// INVERT: the pattern is inverted between passes.
        package static var inverts: Self { Self(rawValue: 4) }
        /// Blocks are written with a pattern; without it they become zeros.
        package static var patterned: Self { Self(rawValue: 8) }
        /// The unit's first block carries the pattern, so that any controller can go on.
        package static var seeded: Self { Self(rawValue: 16) }
        static var all: Self { Self(rawValue: 31) }
    }
    package var kind: Kind
    package var flags: Flags
    /// Who works at it while both controllers are there.
    package var worker: ControllerID
    /// Passes over the unit, and the one at hand, from 0.
    package var passes: UInt8
    package var pass: UInt8 = 0
    /// Sectors of the pass at hand that are done, as far as this was written down.
    package var position: UInt64 = 0
    /// CRC32C of the pattern, repeated to a logical block.
    package var checksum: UInt32 = 0
    /// Tells it from the unit's other operations.
    package var number: UInt32 = 0

    package init(kind: Kind, flags: Flags, worker: ControllerID, passes: UInt8) {
        self.kind = kind
        self.flags = flags
        self.worker = worker
        self.passes = passes
    }

    package var isFailed: Bool { flags.contains(.failed) }
    package var isSanitize: Bool { kind != .format }
    /// Whether the pass at hand writes the inverted pattern: the last one never does (SBC-4 §5.30.2.2).
    package var isInverted: Bool { flags.contains(.inverts) && (passes &- 1 &- pass) & 1 == 1 }
}

//   1288  kind, 0: none      1289 flags     1290 worker     1291 passes     1292 pass at hand
//   1296  position           1304 checksum of the pattern   1308 number of the last operation
extension StateBlock {
    private static var backgroundOffset: Int { deviceOffset + 8 }

    /// The operation that goes on, or failed; nil when the unit is as usual.
    package var background: BackgroundOperation? {
        get {
            let at = Self.backgroundOffset
            guard let kind = BackgroundOperation.Kind(rawValue: raw.byte(at)) else { return nil }
            var operation = BackgroundOperation(
                kind: kind, flags: .init(rawValue: raw.byte(at + 1)).intersection(.all),
                worker: raw.byte(at + 2) == 1 ? .b : .a, passes: max(1, min(31, raw.byte(at + 3))))
            operation.pass = min(raw.byte(at + 4), operation.passes - 1)
            operation.position = raw.little64(at + 8)
            operation.checksum = raw.little32(at + 16)
            operation.number = raw.little32(at + 20)
            return operation
        }
        nonmutating set {
            let at = Self.backgroundOffset
            base.put(byte: newValue?.kind.rawValue ?? 0, at)
            base.put(byte: newValue?.flags.rawValue ?? 0, at + 1)
            base.put(byte: newValue?.worker.rawValue ?? 0, at + 2)
            base.put(byte: newValue?.passes ?? 0, at + 3)
            base.put(byte: newValue?.pass ?? 0, at + 4)
            base.put(little64: newValue?.position ?? 0, at + 8)
            base.put(little32: newValue?.checksum ?? 0, at + 16)
        }
    }

    /// A new operation begins: it gets the next number.
    package func begin(_ operation: BackgroundOperation) {
        background = operation
        base.put(little32: raw.little32(Self.backgroundOffset + 20) &+ 1, Self.backgroundOffset + 20)
    }
}
