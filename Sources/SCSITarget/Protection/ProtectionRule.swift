import Primitives
import SCSIFormats

/// The fields of protection information (SBC-3 §4.22.3) that a check looks at.
struct ProtectionChecks: OptionSet {
    var rawValue: UInt8
    static var blockGuard: Self { Self(rawValue: 1) }
    static var applicationTag: Self { Self(rawValue: 2) }
    static var referenceTag: Self { Self(rawValue: 4) }
    static var all: Self { [.blockGuard, .applicationTag, .referenceTag] }

    /// What a code of RDPROTECT, WRPROTECT, VRPROTECT or ORPROTECT checks of protection information that is
    /// transferred (SBC-3 tables 67, 113, 107 and 51); for code 0, of what is on the medium.
    init(code: UInt8) {
        switch code {
        case 2: self = [.applicationTag, .referenceTag]
        case 3: self = []
        case 4: self = .blockGuard
        default: self = .all
        }
    }

    init(rawValue: UInt8) { self.rawValue = rawValue }
}

/// The protection information of one block as numbers.
struct ProtectionTuple: Equatable {
    var blockGuard: UInt16
    var applicationTag: UInt16
    var referenceTag: UInt32

    /// Bytes of it, behind each block of 512 bytes.
    static var bytes: Int { 8 }
    /// Bytes of a block with it, as it is transferred.
    static var blockBytes: Int { 512 + bytes }
    /// What stands where nothing was written, or what was there is unmapped: nothing to check.
    static var unwritten: Self {
        Self(blockGuard: 0xFFFF, applicationTag: 0xFFFF, referenceTag: 0xFFFF_FFFF)
    }

    init(blockGuard: UInt16, applicationTag: UInt16, referenceTag: UInt32) {
        self.blockGuard = blockGuard
        self.applicationTag = applicationTag
        self.referenceTag = referenceTag
    }

    init(_ base: UnsafeRawPointer) {
        self.init(blockGuard: base.big16(0), applicationTag: base.big16(2), referenceTag: base.big32(4))
    }

    func write(to base: UnsafeMutableRawPointer) {
        base.put(big16: blockGuard, 0)
        base.put(big16: applicationTag, 2)
        base.put(big32: referenceTag, 4)
    }
}

/// What a command expects of the protection information of its blocks, and what it generates.
struct ProtectionRule {
    /// Type of the unit: 1, 2 or 3.
    var type: UInt8
    /// LBA of the command's first block.
    var address: UInt64
    /// The tags that the CDB of a type 2 command of 32 bytes expects: reference tag of the first block, application tag
    /// and its mask. Nil: the CDB has none.
    var expected: (reference: UInt32, application: UInt16, mask: UInt16)?
    /// ATO of the Control mode page: the application tags are the application client's.
    var ownsApplicationTag: Bool

    /// The reference tag that block `lba` must have; nil when nobody here knows.
    func reference(_ lba: UInt64) -> UInt32? {
        switch type {
        case 1: UInt32(truncatingIfNeeded: lba)
        case 2: expected.map { $0.reference &+ UInt32(truncatingIfNeeded: lba &- address) }
        default: nil
        }
    }

    /// Whether the tags say that nothing of the block is to be checked when it is read.
    private func isExempt(_ tuple: ProtectionTuple) -> Bool {
        tuple.applicationTag == 0xFFFF && (type != 3 || tuple.referenceTag == 0xFFFF_FFFF)
    }

    /// The first check of block `lba` that fails, nil when all hold.
    ///
    /// - Parameter isMedium: the protection information was stored, so that its tags may exempt the block.
    func fault(
        _ tuple: ProtectionTuple, data: UnsafeRawPointer, lba: UInt64, _ checks: ProtectionChecks, isMedium: Bool
    ) -> AdditionalSenseCode? {
        if checks.isEmpty || isMedium && isExempt(tuple) { return nil }
        if checks.contains(.blockGuard), tuple.blockGuard != Checksum.blockGuard(data, 512) {
            return .logicalBlockGuardCheckFailed
        }
        if checks.contains(.applicationTag), ownsApplicationTag, let expected,
            (tuple.applicationTag ^ expected.application) & expected.mask != 0
        {
            return .logicalBlockApplicationTagCheckFailed
        }
        if checks.contains(.referenceTag), let reference = reference(lba), tuple.referenceTag != reference {
            return .logicalBlockReferenceTagCheckFailed
        }
        return nil
    }

    /// What is stored with block `lba` when none was transferred. An application tag of FFFFh says that the application
    /// client, whose it is, gave none.
    func generated(_ data: UnsafeRawPointer, lba: UInt64) -> ProtectionTuple {
        ProtectionTuple(
            blockGuard: Checksum.blockGuard(data, 512), applicationTag: ownsApplicationTag ? 0xFFFF : 0,
            referenceTag: type == 3 ? 0xFFFF_FFFF : UInt32(truncatingIfNeeded: lba))
    }
}
