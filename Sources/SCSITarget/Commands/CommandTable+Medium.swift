// Commands on the medium as a whole, and on blocks as they stand on it (SBC-3, SBC-4).
extension CommandTable {
    /// Two hours: what they take depends on the unit's size.
    private static var long: UInt32 { 7_200 }

    static var mediumRows: [CommandRow] {
        [
            CommandRow(
                "04 FF 00 00 03 00", .dataOut(.formatUnit), [.writes, .needsMedium], timeout: long, "FORMAT UNIT",
                "SBC-4 5.4"),
            CommandRow(
                "3E 06 FF FF FF FF 00 FF FF 00", .medium(.readLong), [], length: (7, 2), "READ LONG (10)",
                "SBC-3 5.19"),
            CommandRow(
                "3F E0 FF FF FF FF 00 FF FF 00", .medium(.writeLong), [.writes], length: (7, 2), "WRITE LONG (10)",
                "SBC-3 5.45"),
            CommandRow(
                "48 A1 00 00 00 00 00 FF FF 00", .dataOut(.overwrite), [.serviceAction, .writes, .needsMedium, .recent],
                length: (7, 2), timeout: long, "SANITIZE, OVERWRITE", "SBC-3 5.24"),
            CommandRow(
                "48 A2 00 00 00 00 00 00 00 00", .plain(.blockErase), [.serviceAction, .writes, .needsMedium, .recent],
                timeout: long, "SANITIZE, BLOCK ERASE", "SBC-3 5.24"),
            CommandRow(
                "48 9F 00 00 00 00 00 00 00 00", .plain(.exitFailureMode), [.serviceAction, .recent],
                "SANITIZE, EXIT FAILURE MODE", "SBC-3 5.24"),
            CommandRow(
                "9E 11 FF FF FF FF FF FF FF FF 00 00 FF FF 03 00", .medium(.readLong), [.serviceAction],
                length: (12, 2), "READ LONG (16)", "SBC-3 5.20"),
            CommandRow(
                "9F F1 FF FF FF FF FF FF FF FF 00 00 FF FF 00 00", .medium(.writeLong), [.serviceAction, .writes],
                length: (12, 2), "WRITE LONG (16)", "SBC-3 5.46"),
        ]
    }
}
