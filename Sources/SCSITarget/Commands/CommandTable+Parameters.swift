// Commands that read and set parameters of the unit, its logs and buffers (SPC-4, SBC-3).
extension CommandTable {
    static var parameterRows: [CommandRow] {
        [
            CommandRow(
                "1C 01 FF FF FF 00", .dataIn(.receiveDiagnosticResults), [.sharedRead, .inStandby], length: (3, 2),
                "RECEIVE DIAGNOSTIC RESULTS", "SPC-4 6.28"),
            CommandRow(
                "1D F4 00 FF FF 00", .dataOut(.sendDiagnostic), [.inStandby], length: (3, 2), timeout: 60,
                "SEND DIAGNOSTIC", "SPC-4 6.42"),
            CommandRow(
                "37 00 1F 00 00 00 00 FF FF 00", .dataIn(.readDefectData10), [.sharedRead, .needsMedium],
                length: (7, 2), "READ DEFECT DATA (10)", "SBC-3 5.17"),
            CommandRow(
                "3B 1F FF FF FF FF FF FF FF 00", .dataOut(.writeBuffer), [], length: (6, 3), "WRITE BUFFER",
                "SPC-4 6.49"),
            CommandRow(
                "3C 1F FF FF FF FF FF FF FF 00", .dataIn(.readBuffer), [.sharedRead], length: (6, 3), "READ BUFFER",
                "SPC-4 6.18"),
            CommandRow(
                "4C 02 FF FF 00 00 00 FF FF 00", .dataOut(.logSelect), [.inStandby], length: (7, 2), "LOG SELECT",
                "SPC-4 6.7"),
            CommandRow(
                "4D 00 FF FF 00 FF FF FF FF 00", .dataIn(.logSense), [.unreserved, .legacyUnreserved, .inStandby],
                length: (7, 2), "LOG SENSE", "SPC-4 6.8"),
            CommandRow(
                "9E 13 FF FF FF FF FF FF FF FF FF FF FF FF 01 00", .dataIn(.reportReferrals),
                [.serviceAction, .pair, .unreserved], length: (10, 4), "REPORT REFERRALS", "SBC-3 5.22"),
            CommandRow(
                "A3 05 00 00 00 00 FF FF FF FF FE 00", .dataIn(.reportIdentifyingInformation),
                [.serviceAction, .unreserved], length: (6, 4), "REPORT IDENTIFYING INFORMATION", "SPC-4 6.32"),
            CommandRow(
                "A3 0F 00 00 00 00 FF FF FF FF 00 00", .dataIn(.reportTimestamp), [.serviceAction, .unreserved],
                length: (6, 4), "REPORT TIMESTAMP", "SPC-4 6.38"),
            CommandRow(
                "A4 06 00 00 00 00 FF FF FF FF FE 00", .dataOut(.setIdentifyingInformation), [.serviceAction],
                length: (6, 4), "SET IDENTIFYING INFORMATION", "SPC-4 6.43"),
            CommandRow(
                "A4 0F 00 00 00 00 FF FF FF FF 00 00", .dataOut(.setTimestamp), [.serviceAction], length: (6, 4),
                "SET TIMESTAMP", "SPC-4 6.46"),
            CommandRow(
                "B7 1F FF FF FF FF FF FF FF FF 00 00", .dataIn(.readDefectData12), [.sharedRead, .needsMedium],
                length: (6, 4), "READ DEFECT DATA (12)", "SBC-3 5.18"),
        ]
    }
}
