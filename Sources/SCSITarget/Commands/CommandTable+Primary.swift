// Commands of every device type (SPC-4).
extension CommandTable {
    static var primaryRows: [CommandRow] {
        [
            CommandRow("00 00 00 00 00 00", .plain(.testUnitReady), [], "TEST UNIT READY", "SPC-4 6.47"),
            CommandRow(
                "03 01 00 00 FF 00", .plain(.requestSense), [.attentionExempt], length: (4, 1), "REQUEST SENSE",
                "SPC-4 6.39"),
            CommandRow(
                "12 01 FF FF FF 00", .dataIn(.inquiry), [.stateless, .attentionExempt], length: (3, 2), "INQUIRY",
                "SPC-4 6.6"),
            CommandRow("15 11 00 00 FF 00", .dataOut(.modeSelect), [], length: (4, 1), "MODE SELECT (6)", "SPC-4 6.11"),
            CommandRow("1A 08 FF FF FF 00", .dataIn(.modeSense), [], length: (4, 1), "MODE SENSE (6)", "SPC-4 6.13"),
            CommandRow("1B 01 00 00 01 00", .plain(.startStopUnit), [], "START STOP UNIT", "SBC-3 5.25"),
            CommandRow(
                "25 00 00 00 00 00 00 00 00 00", .dataIn(.readCapacity10), [], "READ CAPACITY (10)", "SBC-3 5.15"),
            CommandRow(
                "55 11 00 00 00 00 00 FF FF 00", .dataOut(.modeSelect), [], length: (7, 2), "MODE SELECT (10)",
                "SPC-4 6.12"),
            CommandRow(
                "5A 18 FF FF 00 00 00 FF FF 00", .dataIn(.modeSense), [], length: (7, 2), "MODE SENSE (10)",
                "SPC-4 6.14"),
            CommandRow(
                "9E 10 00 00 00 00 00 00 00 00 FF FF FF FF 00 00", .dataIn(.readCapacity16), [.serviceAction],
                length: (10, 4),
                "READ CAPACITY (16)", "SBC-3 5.16"),
            CommandRow(
                "A0 00 FF 00 00 00 FF FF FF FF 00 00", .dataIn(.reportLUNs), [.stateless, .attentionExempt],
                length: (6, 4),
                "REPORT LUNS", "SPC-4 6.33"),
            CommandRow(
                "A3 EA 00 00 00 00 FF FF FF FF 00 00", .dataIn(.reportTargetPortGroups), [.serviceAction, .pair],
                length: (6, 4),
                "REPORT TARGET PORT GROUPS", "SPC-4 6.37"),
            CommandRow(
                "A3 0C 87 FF FF FF FF FF FF FF 00 00", .dataIn(.reportSupportedOperationCodes), [.serviceAction],
                length: (6, 4),
                "REPORT SUPPORTED OPERATION CODES", "SPC-4 6.35"),
            CommandRow(
                "A3 0D 80 00 00 00 FF FF FF FF 00 00", .dataIn(.reportSupportedTaskManagementFunctions),
                [.serviceAction],
                length: (6, 4), "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", "SPC-4 6.36"),
        ]
    }
}
