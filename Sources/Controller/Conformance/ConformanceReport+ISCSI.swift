import ISCSIFormats
import ISCSITarget

// The iSCSI target's part of the conformance document.
extension ConformanceReport {
    static var iSCSIRows: [ConformanceRow] {
        textKeys + protocolDataUnits + taskManagementFunctions + asynchronousEvents + loginStatuses + rejectReasons
    }

    /// `scsiCommand` as three words.
    private static func words(_ name: String) -> String {
        name.map { $0.isUppercase ? " \($0.lowercased())" : "\($0)" }.joined()
    }

    private static func row(
        _ section: ConformanceRow.Section, _ code: String, _ name: String, _ clause: String, absent reason: String?,
        _ condition: String = ""
    ) -> ConformanceRow {
        if let reason { return .absent(section, code, name, clause, reason) }
        return row(section, code, name, clause, condition.isEmpty ? "yes" : "yes, \(condition)")
    }

    // MARK: Text keys

    private static var textKeys: [ConformanceRow] {
        let limits = ISCSITargetConfiguration.Limits()
        return TextKey.allCases.map { key in
            let (kind, values) = negotiation(key, limits)
            let name = kind + (key.row.normalSessionOnly ? ", normal sessions" : "")
            let clause = clause(key)
            if key.row.rule == .obsolete || key == .targetAlias {
                return .absent(.textKey, key.row.name, name, clause, values)
            }
            return row(.textKey, key.row.name, name, clause, "yes: \(values)")
        }
    }

    /// How a key is settled, and with which values.
    private static func negotiation(
        _ key: TextKey, _ limits: ISCSITargetConfiguration.Limits
    ) -> (kind: String, values: String) {
        switch key.row.rule {
        case .declared: ("declared", declared(key, limits))
        case .list: ("list, the first that fits", limits.choices(key).joined(separator: ", "))
        case .or: ("Yes if either says so", limits.stance(key) ? "Yes" : "Yes, No")
        case .and: ("Yes if both say so", limits.stance(key) ? "Yes, No" : "No")
        case .minimum(let range):
            ("the smaller", range.lowerBound == limits.bound(key) ? "1" : "\(range.lowerBound) to \(limits.bound(key))")
        case .maximum(let range): ("the larger", "\(limits.bound(key)) to \(range.upperBound)")
        case .authentication: ("CHAP", key == .chapA ? "5, 6, 7, 8" : "as the algorithm asks")
        case .obsolete: ("obsolete", "obsolete, answered \(key == .ifMarker || key == .ofMarker ? "No" : "Reject")")
        }
    }

    private static func declared(_ key: TextKey, _ limits: ISCSITargetConfiguration.Limits) -> String {
        switch key {
        case .maxRecvDataSegmentLength: "512 to 16777215 are taken, \(limits.maxRecvDataSegmentLength) is declared"
        case .sessionType: "Normal, Discovery"
        case .sendTargets: "All in discovery; the own name, or nothing, in a session"
        case .initiatorAlias: "taken, and not used"
        case .targetAlias: "a target has its name only"
        case .targetAddress: "by SendTargets, and for redirected logins"
        case .targetPortalGroupTag: "1 for controller a, 2 for b"
        default: "names of RFC 7143 4.2.7"
        }
    }

    private static func clause(_ key: TextKey) -> String {
        let clauses: [(String, [TextKey])] = [
            ("12.1", [.authMethod]), ("12.1.3", [.chapA, .chapI, .chapC, .chapN, .chapR]),
            ("13.1", [.headerDigest, .dataDigest]), ("13.2", [.maxConnections]), ("13.3", [.sendTargets]),
            ("13.4", [.targetName]), ("13.5", [.initiatorName]), ("13.6", [.targetAlias]), ("13.7", [.initiatorAlias]),
            ("13.8", [.targetAddress]), ("13.9", [.targetPortalGroupTag]), ("13.10", [.initialR2T]),
            ("13.11", [.immediateData]), ("13.12", [.maxRecvDataSegmentLength]), ("13.13", [.maxBurstLength]),
            ("13.14", [.firstBurstLength]), ("13.15", [.defaultTime2Wait]), ("13.16", [.defaultTime2Retain]),
            ("13.17", [.maxOutstandingR2T]), ("13.18", [.dataPDUInOrder]), ("13.19", [.dataSequenceInOrder]),
            ("13.20", [.errorRecoveryLevel]), ("13.21", [.sessionType]), ("13.23", [.taskReporting]),
            ("13.24", [.iSCSIProtocolLevel]), ("13.25", [.ifMarker, .ofMarker, .ifMarkInt, .ofMarkInt]),
        ]
        return "RFC 7143 " + (clauses.first { $0.1.contains(key) }?.0 ?? "-")
    }

    // MARK: PDUs and what they carry

    private static var protocolDataUnits: [ConformanceRow] {
        Opcode.allCases.map { opcode in
            let (name, clause) =
                switch opcode {
                case .scsiCommand: ("SCSI Command", "11.3")
                case .scsiResponse: ("SCSI Response", "11.4")
                case .taskManagementRequest: ("Task Management Function Request", "11.5")
                case .taskManagementResponse: ("Task Management Function Response", "11.6")
                case .dataOut: ("SCSI Data-Out", "11.7")
                case .dataIn: ("SCSI Data-In", "11.7")
                case .readyToTransfer: ("Ready To Transfer (R2T)", "11.8")
                case .asyncMessage: ("Asynchronous Message", "11.9")
                case .textRequest: ("Text Request", "11.10")
                case .textResponse: ("Text Response", "11.11")
                case .loginRequest: ("Login Request", "11.12")
                case .loginResponse: ("Login Response", "11.13")
                case .logoutRequest: ("Logout Request", "11.14")
                case .logoutResponse: ("Logout Response", "11.15")
                case .snackRequest: ("SNACK Request", "11.16")
                case .reject: ("Reject", "11.17")
                case .nopOut: ("NOP-Out", "11.18")
                case .nopIn: ("NOP-In", "11.19")
                }
            return row(
                .protocolDataUnit, hex(UInt64(opcode.rawValue), 2), name, "RFC 7143 \(clause)", absent: nil,
                opcode == .snackRequest ? "ErrorRecoveryLevel 1" : "")
        }
    }

    private static var taskManagementFunctions: [ConformanceRow] {
        TaskManagementCode.allCases.map { code in
            let isLater = code.rawValue >= TaskManagementCode.queryTask.rawValue
            let condition =
                code == .taskReassign ? "ErrorRecoveryLevel 2" : isLater ? "iSCSIProtocolLevel 2" : ""
            return row(
                .taskManagement, hex(UInt64(code.rawValue), 2), function(code),
                isLater ? "RFC 7144 4.3" : "RFC 7143 11.5.1",
                absent: code == .clearACA ? "there is no ACA (NACA is refused); rejected" : nil, condition)
        }
    }

    private static func function(_ code: TaskManagementCode) -> String {
        switch code {
        case .clearACA: "CLEAR ACA"
        case .iTNexusReset: "I_T NEXUS RESET"
        default: words("\(code)").uppercased()
        }
    }

    private static var asynchronousEvents: [ConformanceRow] {
        AsyncEvent.allCases.map { event in
            let reason: String? =
                switch event {
                case .scsiEvent: "conditions are unit attentions"
                case .connectionWillBeDropped: "sessions are dropped whole"
                case .negotiationRequested: "nothing is negotiated again"
                case .allTasksTerminated: "FastAbort is not offered"
                case .logoutRequested, .sessionWillBeDropped: nil
                }
            return row(
                .asynchronousEvent, hex(UInt64(event.rawValue), 2), words("\(event)"), "RFC 7143 11.9.1",
                absent: reason)
        }
    }

    private static var loginStatuses: [ConformanceRow] {
        LoginStatus.allCases.map { status in
            let reason: String? =
                switch status {
                case .targetMovedPermanently: "redirections last as long as a maintenance"
                case .targetRemoved: "what is not there is not found"
                case .serviceUnavailable: "commands wait for the pair, logins do not"
                default: nil
                }
            return row(
                .loginStatus, hex(UInt64(status.rawValue), 4), words("\(status)"), "RFC 7143 11.13.5", absent: reason)
        }
    }

    private static var rejectReasons: [ConformanceRow] {
        RejectReason.allCases.map { reason in
            let absence: String? =
                switch reason {
                case .longOperationReject: "no request takes resources for long"
                case .waitingForLogout: "commands are served until the end"
                default: nil
                }
            return row(
                .rejectReason, hex(UInt64(reason.rawValue), 2), words("\(reason)"), "RFC 7143 11.17.1",
                absent: absence)
        }
    }
}
