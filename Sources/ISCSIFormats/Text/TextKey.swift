/// How the value of a key comes about (RFC 7143 §6.2, §13).
package enum KeyRule: Sendable, Equatable {
    /// One side says it; there is no answer.
    case declared
    /// Comma-separated list, the first acceptable element wins.
    case list
    /// Yes if either side says yes.
    case or
    /// Yes if both sides say yes.
    case and
    /// The smaller number, within the range.
    case minimum(ClosedRange<UInt64>)
    /// The larger number, within the range.
    case maximum(ClosedRange<UInt64>)
    /// A step of CHAP (RFC 7143 §12.1.3).
    case authentication
    /// A key of RFC 3720 that RFC 7143 §13.25 has made obsolete.
    case obsolete
}

/// The keys of RFC 7143 §12 and §13.
package enum TextKey: UInt8, CaseIterable, Sendable {
    case authMethod, headerDigest, dataDigest, maxConnections, sendTargets, targetName, initiatorName, targetAlias,
        initiatorAlias, targetAddress, targetPortalGroupTag, initialR2T, immediateData, maxRecvDataSegmentLength,
        maxBurstLength, firstBurstLength, defaultTime2Wait, defaultTime2Retain, maxOutstandingR2T, dataPDUInOrder,
        dataSequenceInOrder, errorRecoveryLevel, sessionType, taskReporting, iSCSIProtocolLevel, ifMarker, ofMarker,
        ifMarkInt, ofMarkInt, chapA, chapI, chapC, chapN, chapR

    /// One row a key.
    package struct Row: Sendable {
        package let name: String
        package let rule: KeyRule
        /// A discovery session answers `Irrelevant`.
        package let normalSessionOnly: Bool

        /// Only the leading login of a session negotiates it (LO in RFC 7143 §13).
        package var isLeadingOnly: Bool {
            switch rule {
            case .or, .and, .minimum, .maximum: true
            case .list: normalSessionOnly
            case .declared, .obsolete, .authentication: false
            }
        }
    }

    package var row: Row { Self.table[Int(rawValue)] }

    /// The key of a name, nil when it is not one of RFC 7143.
    package init?(_ name: UnsafeRawBufferPointer) {
        for key in Self.allCases where name.elementsEqual(key.row.name.utf8) {
            self = key
            return
        }
        return nil
    }

    private static let length: ClosedRange<UInt64> = 512...16_777_215

    private static func row(_ name: String, _ rule: KeyRule, normal: Bool = false) -> Row {
        Row(name: name, rule: rule, normalSessionOnly: normal)
    }

    /// In the order of the cases.
    private static let table: [Row] = [
        row("AuthMethod", .list),
        row("HeaderDigest", .list),
        row("DataDigest", .list),
        row("MaxConnections", .minimum(1...65535), normal: true),
        row("SendTargets", .declared),
        row("TargetName", .declared),
        row("InitiatorName", .declared),
        row("TargetAlias", .declared),
        row("InitiatorAlias", .declared),
        row("TargetAddress", .declared),
        row("TargetPortalGroupTag", .declared),
        row("InitialR2T", .or, normal: true),
        row("ImmediateData", .and, normal: true),
        row("MaxRecvDataSegmentLength", .declared),
        row("MaxBurstLength", .minimum(length), normal: true),
        row("FirstBurstLength", .minimum(length), normal: true),
        row("DefaultTime2Wait", .maximum(0...3600)),
        row("DefaultTime2Retain", .minimum(0...3600)),
        row("MaxOutstandingR2T", .minimum(1...65535), normal: true),
        row("DataPDUInOrder", .or, normal: true),
        row("DataSequenceInOrder", .or, normal: true),
        row("ErrorRecoveryLevel", .minimum(0...2)),
        row("SessionType", .declared),
        row("TaskReporting", .list, normal: true),
        row("iSCSIProtocolLevel", .minimum(0...31), normal: true),
        row("IFMarker", .obsolete),
        row("OFMarker", .obsolete),
        row("IFMarkInt", .obsolete),
        row("OFMarkInt", .obsolete),
        row("CHAP_A", .authentication),
        row("CHAP_I", .authentication),
        row("CHAP_C", .authentication),
        row("CHAP_N", .authentication),
        row("CHAP_R", .authentication),
    ]
}
