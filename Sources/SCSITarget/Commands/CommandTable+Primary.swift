// Commands of every device type (SPC-4).
extension CommandTable {
    static var primaryRows: [CommandRow] {
        [
            CommandRow(
                "00 00 00 00 00 00", .plain(.testUnitReady), [.unreserved, .needsMedium], "TEST UNIT READY",
                "SPC-4 6.47"),
            CommandRow(
                "03 01 00 00 FF 00", .plain(.requestSense),
                [.attentionExempt, .unreserved, .legacyUnreserved, .inUnavailable], length: (4, 1), "REQUEST SENSE",
                "SPC-4 6.39"),
            CommandRow(
                "12 01 FF FF FF 00", .dataIn(.inquiry),
                [.stateless, .attentionExempt, .unreserved, .legacyUnreserved, .inUnavailable], length: (3, 2),
                "INQUIRY", "SPC-4 6.6"),
            CommandRow(
                "15 11 00 00 FF 00", .dataOut(.modeSelect), [.inStandby], length: (4, 1), "MODE SELECT (6)",
                "SPC-4 6.11"),
            CommandRow(
                "1A 08 FF FF FF 00", .dataIn(.modeSense), [.sharedRead, .inStandby], length: (4, 1), "MODE SENSE (6)",
                "SPC-4 6.13"),
            CommandRow("1B 01 00 0F F7 00", .plain(.startStopUnit), [], timeout: 60, "START STOP UNIT", "SBC-3 5.25"),
            CommandRow(
                "55 11 00 00 00 00 00 FF FF 00", .dataOut(.modeSelect), [.inStandby], length: (7, 2),
                "MODE SELECT (10)", "SPC-4 6.12"),
            CommandRow(
                "5A 18 FF FF 00 00 00 FF FF 00", .dataIn(.modeSense), [.sharedRead, .inStandby], length: (7, 2),
                "MODE SENSE (10)", "SPC-4 6.14"),
            CommandRow(
                "1E 00 00 00 01 00", .plain(.preventAllowMediumRemoval), [.removable],
                "PREVENT ALLOW MEDIUM REMOVAL", "SPC-5 6.13"),
            CommandRow(
                "25 00 00 00 00 00 00 00 00 00", .dataIn(.readCapacity10),
                [.unreserved, .legacyUnreserved, .needsLoadedMedium], "READ CAPACITY (10)", "SBC-3 5.15"),
            CommandRow(
                "9E 10 00 00 00 00 00 00 00 00 FF FF FF FF 00 00", .dataIn(.readCapacity16),
                [.serviceAction, .unreserved, .legacyUnreserved, .needsLoadedMedium], length: (10, 4),
                "READ CAPACITY (16)", "SBC-3 5.16"),
            CommandRow(
                "A0 00 FF 00 00 00 FF FF FF FF 00 00", .dataIn(.reportLUNs),
                [.stateless, .attentionExempt, .unreserved, .legacyUnreserved, .inUnavailable], length: (6, 4),
                "REPORT LUNS", "SPC-4 6.33"),
            CommandRow(
                "A3 EA 00 00 00 00 FF FF FF FF 00 00", .dataIn(.reportTargetPortGroups),
                [.serviceAction, .pair, .unreserved, .inUnavailable], length: (6, 4), "REPORT TARGET PORT GROUPS",
                "SPC-4 6.37"),
            CommandRow(
                "A4 0A 00 00 00 00 FF FF FF FF 00 00", .dataOut(.setTargetPortGroups),
                [.serviceAction, .pair, .inUnavailable], length: (6, 4), "SET TARGET PORT GROUPS", "SPC-5 6.45"),
            CommandRow(
                "A3 0C 87 FF FF FF FF FF FF FF 00 00", .dataIn(.reportSupportedOperationCodes),
                [.serviceAction, .sharedRead, .inUnavailable], length: (6, 4), "REPORT SUPPORTED OPERATION CODES",
                "SPC-4 6.35"),
            CommandRow(
                "A3 0D 80 00 00 00 FF FF FF FF 00 00", .dataIn(.reportSupportedTaskManagementFunctions),
                [.serviceAction, .sharedRead, .inUnavailable],
                length: (6, 4), "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", "SPC-4 6.36"),
        ]
    }
}
