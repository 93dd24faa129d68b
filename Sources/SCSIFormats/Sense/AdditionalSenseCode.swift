/// Sense keys (SPC-4 §4.5.6).
package enum SenseKey: UInt8, Sendable {
    case noSense = 0x0
    case recoveredError = 0x1
    case notReady = 0x2
    case mediumError = 0x3
    case hardwareError = 0x4
    case illegalRequest = 0x5
    case unitAttention = 0x6
    case dataProtect = 0x7
    case blankCheck = 0x8
    case vendorSpecific = 0x9
    case copyAborted = 0xA
    case abortedCommand = 0xB
    case volumeOverflow = 0xD
    case miscompare = 0xE
    case completed = 0xF
}

/// ADDITIONAL SENSE CODE and ADDITIONAL SENSE CODE QUALIFIER as one number, code in the high byte (SPC-4 annex E). The
/// names are the standard's; only codes that the device server uses have one.
package struct AdditionalSenseCode: Hashable, Sendable {
    package var raw: UInt16
    package init(raw: UInt16) { self.raw = raw }
    package init(_ code: UInt8, _ qualifier: UInt8) { raw = UInt16(code) << 8 | UInt16(qualifier) }
    package var code: UInt8 { UInt8(raw >> 8) }
    package var qualifier: UInt8 { UInt8(truncatingIfNeeded: raw) }

    package static var noAdditionalSenseInformation: Self { Self(0x00, 0x00) }
    package static var initializingCommandRequired: Self { Self(0x04, 0x02) }
    package static var formatInProgress: Self { Self(0x04, 0x04) }
    package static var asymmetricAccessStateTransition: Self { Self(0x04, 0x0A) }
    package static var targetPortInStandbyState: Self { Self(0x04, 0x0B) }
    package static var targetPortInUnavailableState: Self { Self(0x04, 0x0C) }
    package static var sanitizeInProgress: Self { Self(0x04, 0x1B) }
    package static var writeError: Self { Self(0x0C, 0x00) }
    package static var logicalBlockGuardCheckFailed: Self { Self(0x10, 0x01) }
    package static var logicalBlockApplicationTagCheckFailed: Self { Self(0x10, 0x02) }
    package static var logicalBlockReferenceTagCheckFailed: Self { Self(0x10, 0x03) }
    package static var unrecoveredReadError: Self { Self(0x11, 0x00) }
    package static var readErrorLBAMarkedBadByApplicationClient: Self { Self(0x11, 0x14) }
    package static var parameterListLengthError: Self { Self(0x1A, 0x00) }
    package static var miscompareDuringVerify: Self { Self(0x1D, 0x00) }
    package static var invalidCommandOperationCode: Self { Self(0x20, 0x00) }
    package static var logicalBlockAddressOutOfRange: Self { Self(0x21, 0x00) }
    package static var invalidFieldInCDB: Self { Self(0x24, 0x00) }
    package static var logicalUnitNotSupported: Self { Self(0x25, 0x00) }
    package static var invalidFieldInParameterList: Self { Self(0x26, 0x00) }
    package static var invalidReleaseOfPersistentReservation: Self { Self(0x26, 0x04) }
    package static var writeProtected: Self { Self(0x27, 0x00) }
    package static var logicalUnitSoftwareWriteProtected: Self { Self(0x27, 0x02) }
    package static var spaceAllocationFailedWriteProtect: Self { Self(0x27, 0x07) }
    package static var notReadyToReadyChange: Self { Self(0x28, 0x00) }
    package static var powerOnResetOrBusDeviceReset: Self { Self(0x29, 0x00) }
    package static var busDeviceResetFunctionOccurred: Self { Self(0x29, 0x03) }
    package static var iTNexusLossOccurred: Self { Self(0x29, 0x07) }
    package static var modeParametersChanged: Self { Self(0x2A, 0x01) }
    package static var logParametersChanged: Self { Self(0x2A, 0x02) }
    package static var reservationsPreempted: Self { Self(0x2A, 0x03) }
    package static var reservationsReleased: Self { Self(0x2A, 0x04) }
    package static var registrationsPreempted: Self { Self(0x2A, 0x05) }
    package static var timestampChanged: Self { Self(0x2A, 0x10) }
    package static var asymmetricAccessStateChanged: Self { Self(0x2A, 0x06) }
    package static var deviceIdentifierChanged: Self { Self(0x3F, 0x05) }
    package static var commandSequenceError: Self { Self(0x2C, 0x00) }
    package static var previousBusyStatus: Self { Self(0x2C, 0x07) }
    package static var previousTaskSetFullStatus: Self { Self(0x2C, 0x08) }
    package static var previousReservationConflictStatus: Self { Self(0x2C, 0x09) }
    package static var commandsClearedByAnotherInitiator: Self { Self(0x2F, 0x00) }
    package static var mediumFormatCorrupted: Self { Self(0x31, 0x00) }
    package static var formatCommandFailed: Self { Self(0x31, 0x01) }
    package static var sanitizeCommandFailed: Self { Self(0x31, 0x03) }
    package static var thinProvisioningSoftThresholdReached: Self { Self(0x38, 0x07) }
    package static var mediumNotPresentTrayOpen: Self { Self(0x3A, 0x02) }
    package static var logicalUnitFailedSelfTest: Self { Self(0x3E, 0x03) }
    package static var internalTargetFailure: Self { Self(0x44, 0x00) }
    package static var mediumRemovalPrevented: Self { Self(0x53, 0x02) }
    package static var insufficientResources: Self { Self(0x55, 0x03) }
    package static var insufficientRegistrationResources: Self { Self(0x55, 0x04) }
    package static var failurePredictionThresholdExceededFalse: Self { Self(0x5D, 0xFF) }
    package static var setTargetPortGroupsCommandFailed: Self { Self(0x67, 0x0A) }

    /// The threshold of a descriptor of the Logical Block Provisioning mode page, by a qualifier that is not on any
    /// wire: a pending unit attention has no other place for which it is.
    package static func threshold(_ index: Int) -> Self { Self(0x38, 0x80 | UInt8(truncatingIfNeeded: index & 0x7F)) }
    /// The descriptor of such a code; nil for every other code.
    package var threshold: Int? { code == 0x38 && qualifier & 0x80 != 0 ? Int(qualifier & 0x7F) : nil }
}
