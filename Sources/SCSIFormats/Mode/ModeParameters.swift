/// The changeable mode parameters that every command looks at.
@frozen
@usableFromInline
package struct ModeFlags: OptionSet, Sendable {
    @usableFromInline package var rawValue: UInt16
    @inlinable package init(rawValue: UInt16) { self.rawValue = rawValue }
    /// WCE of the Caching page: writes may be answered from memory.
    @inlinable package static var writeCacheEnabled: Self { Self(rawValue: 1) }
    /// DRA of the Caching page: no read-ahead.
    @inlinable package static var disableReadAhead: Self { Self(rawValue: 2) }
    /// SWP of the Control page: writes are refused.
    @inlinable package static var softwareWriteProtect: Self { Self(rawValue: 4) }
    /// D_SENSE of the Control page: descriptor format sense data.
    @inlinable package static var descriptorSense: Self { Self(rawValue: 8) }
    /// ATO of the Control page: application tags are the application client's.
    @inlinable package static var applicationTagOwner: Self { Self(rawValue: 1 << 15) }
    /// DPICZ of the Control page: nothing is checked where xxPROTECT is zero.
    @inlinable package static var checksWhenAskedOnly: Self { Self(rawValue: 1 << 14) }
    /// TAS zero of the Control page: commands that another nexus' doing aborts end without a status.
    @inlinable package static var abortsSilently: Self { Self(rawValue: 16) }
    /// QERR 01b of the Control page: CHECK CONDITION aborts every command of the task set.
    @inlinable package static var errorAbortsAll: Self { Self(rawValue: 32) }
    /// QERR 11b: it aborts those of its nexus.
    @inlinable package static var errorAbortsNexus: Self { Self(rawValue: 64) }
    /// UA_INTLCK_CTRL 10b and 11b: only REQUEST SENSE clears a unit attention.
    @inlinable package static var keepsAttentions: Self { Self(rawValue: 128) }
    /// UA_INTLCK_CTRL 11b: BUSY, TASK SET FULL and RESERVATION CONFLICT establish one.
    @inlinable package static var attendsStatus: Self { Self(rawValue: 256) }
    /// A threshold of provisioning can be reached.
    @inlinable package static var hasThresholds: Self { Self(rawValue: 512) }
    /// What a unit starts with.
    @inlinable package static var standard: Self { .writeCacheEnabled }

    /// What `image` sets.
    package init(_ image: ModeImage) {
        self = []
        if image[1] & 0x04 == 0 { insert(.writeCacheEnabled) }
        if image[2] & 0x20 != 0 { insert(.disableReadAhead) }
        if image[5] & 0x08 != 0 { insert(.softwareWriteProtect) }
        if image[3] & 0x08 != 0 { insert(.checksWhenAskedOnly) }
        if image[6] & 0x80 != 0 { insert(.applicationTagOwner) }
        if image[3] & 0x04 != 0 { insert(.descriptorSense) }
        if image[6] & 0x40 != 0 { insert(.abortsSilently) }
        if image[4] & 0x06 == 0x02 { insert(.errorAbortsAll) }
        if image[4] & 0x06 == 0x06 { insert(.errorAbortsNexus) }
        if image[5] & 0x20 != 0 { insert(.keepsAttentions) }
        if image[5] & 0x30 == 0x30 { insert(.attendsStatus) }
        if ProvisioningThresholds(image).isArmed { insert(.hasThresholds) }
    }
}

/// What the Informational Exceptions Control mode page says (SBC-3 §6.5.6).
package struct ExceptionControl: Equatable, Sendable {
    /// MRIE: how a failure prediction is reported.
    package enum Method: UInt8, Sendable {
        case none = 0
        case unitAttention = 2
        case onRequest = 6
    }
    /// TEST: a false failure prediction is there.
    package var test = false
    package var method = Method.onRequest
    /// The false failure prediction is reported: TEST, which MRIE 0h makes mean nothing.
    package var isFailing: Bool { test && method != .none }

    /// What a unit starts with.
    package init() {}

    /// What `image` sets.
    package init(_ image: ModeImage) {
        test = image[7] & 0x04 != 0
        method = Method(rawValue: image[8] & 0x0F ^ 0x06) ?? .onRequest
    }
}
