// Commands on ranges of logical blocks (SBC-3). FUA and DPO are bits 3 and 4 of the flags byte of READ and
// WRITE; GROUP NUMBER is 1Fh of a byte near the end.
extension CommandTable {
    static var blockRows: [CommandRow] {
        [
            CommandRow("08 1F FF FF FF 00", .medium(.read), [.sharedRead], "READ (6)", "SBC-3 5.10"),
            CommandRow("0A 1F FF FF FF 00", .medium(.write), [.writes], "WRITE (6)", "SBC-3 5.36"),
            CommandRow("28 18 FF FF FF FF 1F FF FF 00", .medium(.read), [.sharedRead], "READ (10)", "SBC-3 5.11"),
            CommandRow("2A 18 FF FF FF FF 1F FF FF 00", .medium(.write), [.writes], "WRITE (10)", "SBC-3 5.37"),
            CommandRow(
                "2E 12 FF FF FF FF 1F FF FF 00", .medium(.writeAndVerify), [.writes], "WRITE AND VERIFY (10)",
                "SBC-3 5.41"),
            CommandRow("2F 16 FF FF FF FF 1F FF FF 00", .medium(.verify), [.sharedRead], "VERIFY (10)", "SBC-3 5.31"),
            CommandRow(
                "34 02 FF FF FF FF 1F FF FF 00", .medium(.preFetch), [.sharedRead], "PRE-FETCH (10)", "SBC-3 5.8"),
            CommandRow(
                "35 02 FF FF FF FF 1F FF FF 00", .medium(.synchronizeCache), [], timeout: 60, "SYNCHRONIZE CACHE (10)",
                "SBC-3 5.26"),
            CommandRow(
                "88 18 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00", .medium(.read), [.sharedRead], "READ (16)",
                "SBC-3 5.13"),
            CommandRow(
                "8A 18 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00", .medium(.write), [.writes], "WRITE (16)",
                "SBC-3 5.39"),
            CommandRow(
                "8E 12 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00", .medium(.writeAndVerify), [.writes],
                "WRITE AND VERIFY (16)",
                "SBC-3 5.43"),
            CommandRow(
                "8F 16 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00", .medium(.verify), [.sharedRead], "VERIFY (16)",
                "SBC-3 5.33"),
            CommandRow(
                "90 02 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00", .medium(.preFetch), [.sharedRead], "PRE-FETCH (16)",
                "SBC-3 5.9"),
            CommandRow(
                "91 02 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00", .medium(.synchronizeCache), [], timeout: 60,
                "SYNCHRONIZE CACHE (16)", "SBC-3 5.27"),
            CommandRow("A8 18 FF FF FF FF FF FF FF FF 1F 00", .medium(.read), [.sharedRead], "READ (12)", "SBC-3 5.12"),
            CommandRow("AA 18 FF FF FF FF FF FF FF FF 1F 00", .medium(.write), [.writes], "WRITE (12)", "SBC-3 5.38"),
            CommandRow(
                "AE 12 FF FF FF FF FF FF FF FF 1F 00", .medium(.writeAndVerify), [.writes], "WRITE AND VERIFY (12)",
                "SBC-3 5.42"),
            CommandRow(
                "AF 16 FF FF FF FF FF FF FF FF 1F 00", .medium(.verify), [.sharedRead], "VERIFY (12)", "SBC-3 5.32"),
            CommandRow(
                "42 00 00 00 00 00 1F FF FF 00", .dataOut(.unmap), [.writes, .thin, .needsMedium], length: (7, 2),
                timeout: 120, "UNMAP", "SBC-3 5.28"),
            CommandRow(
                "9E 12 FF FF FF FF FF FF FF FF FF FF FF FF 00 00", .dataIn(.lbaStatus),
                [.serviceAction, .sharedRead, .needsMedium], length: (10, 4), "GET LBA STATUS (16)", "SBC-3 5.4"),
            CommandRow(
                "41 08 FF FF FF FF 1F FF FF 00", .medium(.writeSame), [.writes], timeout: 120, "WRITE SAME (10)",
                "SBC-3 5.44"),
            CommandRow(
                "89 18 FF FF FF FF FF FF FF FF 00 00 00 FF 1F 00", .medium(.compareAndWrite), [.writes],
                "COMPARE AND WRITE", "SBC-3 5.2"),
            CommandRow(
                "8B 18 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00", .medium(.orWrite), [.writes], "ORWRITE (16)",
                "SBC-3 5.6"),
            CommandRow(
                "93 09 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00", .medium(.writeSame), [.writes], timeout: 120,
                "WRITE SAME (16)", "SBC-3 5.45"),
            CommandRow(
                "9C 18 FF FF FF FF FF FF FF FF FF FF FF FF 1F 00", .medium(.writeAtomic), [.writes, .atomic],
                "WRITE ATOMIC (16)", "SBC-4 5.46"),
        ]
    }
}
