// Commands of 32 bytes on ranges of logical blocks: they have the tags that a unit with type 2 protection needs.
extension CommandTable {
    /// Commands of 32 bytes, for units with type 2 protection: their CDBs say which tags are expected.
    static var protectedRows: [CommandRow] {
        [
            CommandRow(
                """
                7F 00 00 00 00 00 1F 18 00 09 18 00 FF FF FF FF FF FF FF FF
                FF FF FF FF FF FF FF FF FF FF FF FF
                """, .medium(.read), [.serviceAction, .sharedRead, .type2], "READ (32)", "SBC-3 5.14"),
            CommandRow(
                """
                7F 00 00 00 00 00 1F 18 00 0A 16 00 FF FF FF FF FF FF FF FF
                FF FF FF FF FF FF FF FF FF FF FF FF
                """, .medium(.verify), [.serviceAction, .sharedRead, .type2], "VERIFY (32)", "SBC-3 5.34"),
            CommandRow(
                """
                7F 00 00 00 00 00 1F 18 00 0B 18 00 FF FF FF FF FF FF FF FF
                FF FF FF FF FF FF FF FF FF FF FF FF
                """, .medium(.write), [.serviceAction, .writes, .type2], "WRITE (32)", "SBC-3 5.40"),
            CommandRow(
                """
                7F 00 00 00 00 00 1F 18 00 0C 12 00 FF FF FF FF FF FF FF FF
                FF FF FF FF FF FF FF FF FF FF FF FF
                """, .medium(.writeAndVerify), [.serviceAction, .writes, .type2], "WRITE AND VERIFY (32)",
                "SBC-3 5.44"),
            CommandRow(
                """
                7F 00 00 00 00 00 1F 18 00 0D 09 00 FF FF FF FF FF FF FF FF
                FF FF FF FF FF FF FF FF FF FF FF FF
                """, .medium(.writeSame), [.serviceAction, .writes, .type2], timeout: 120, "WRITE SAME (32)",
                "SBC-3 5.47"),
        ]
    }
}
