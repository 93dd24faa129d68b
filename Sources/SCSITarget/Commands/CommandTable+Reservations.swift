// Reservations (SPC-5 §6.15, §6.16; SPC-2 §7.21, §7.24). Who may do what stands in the commands themselves.
extension CommandTable {
    static var reservationRows: [CommandRow] {
        let reserveIn: CommandTraits = [.serviceAction, .unreserved, .persistentReserve, .inStandby]
        let reserveOut: CommandTraits = [.serviceAction, .unreserved, .persistentReserve, .inStandby]
        return [
            CommandRow("16 00 00 00 00 00", .plain(.reserve), [.unreserved], "RESERVE (6)", "SPC-2 7.22"),
            CommandRow(
                "17 00 00 00 00 00", .plain(.release), [.unreserved, .legacyUnreserved], "RELEASE (6)", "SPC-2 7.17"),
            CommandRow("56 00 00 00 00 00 00 00 00 00", .plain(.reserve), [.unreserved], "RESERVE (10)", "SPC-2 7.21"),
            CommandRow(
                "57 00 00 00 00 00 00 00 00 00", .plain(.release), [.unreserved, .legacyUnreserved], "RELEASE (10)",
                "SPC-2 7.16"),
            CommandRow(
                "5E 00 00 00 00 00 00 FF FF 00", .dataIn(.persistentReserveIn), reserveIn, length: (7, 2),
                "PERSISTENT RESERVE IN, READ KEYS", "SPC-5 6.15.2"),
            CommandRow(
                "5E 01 00 00 00 00 00 FF FF 00", .dataIn(.persistentReserveIn), reserveIn, length: (7, 2),
                "PERSISTENT RESERVE IN, READ RESERVATION", "SPC-5 6.15.3"),
            CommandRow(
                "5E 02 00 00 00 00 00 FF FF 00", .dataIn(.persistentReserveIn), reserveIn, length: (7, 2),
                "PERSISTENT RESERVE IN, REPORT CAPABILITIES", "SPC-5 6.15.4"),
            CommandRow(
                "5E 03 00 00 00 00 00 FF FF 00", .dataIn(.persistentReserveIn), reserveIn, length: (7, 2),
                "PERSISTENT RESERVE IN, READ FULL STATUS", "SPC-5 6.15.5"),
            CommandRow(
                "5F 00 FF 00 00 FF FF FF FF 00", .dataOut(.persistentReserveOut), reserveOut, length: (5, 4),
                "PERSISTENT RESERVE OUT, REGISTER", "SPC-5 6.16"),
            CommandRow(
                "5F 01 FF 00 00 FF FF FF FF 00", .dataOut(.persistentReserveOut), reserveOut, length: (5, 4),
                "PERSISTENT RESERVE OUT, RESERVE", "SPC-5 6.16"),
            CommandRow(
                "5F 02 FF 00 00 FF FF FF FF 00", .dataOut(.persistentReserveOut), reserveOut, length: (5, 4),
                "PERSISTENT RESERVE OUT, RELEASE", "SPC-5 6.16"),
            CommandRow(
                "5F 03 FF 00 00 FF FF FF FF 00", .dataOut(.persistentReserveOut), reserveOut, length: (5, 4),
                "PERSISTENT RESERVE OUT, CLEAR", "SPC-5 6.16"),
            CommandRow(
                "5F 04 FF 00 00 FF FF FF FF 00", .dataOut(.persistentReserveOut), reserveOut, length: (5, 4),
                "PERSISTENT RESERVE OUT, PREEMPT", "SPC-5 6.16"),
            CommandRow(
                "5F 05 FF 00 00 FF FF FF FF 00", .dataOut(.persistentReserveOut), reserveOut, length: (5, 4),
                "PERSISTENT RESERVE OUT, PREEMPT AND ABORT", "SPC-5 6.16"),
            CommandRow(
                "5F 06 FF 00 00 FF FF FF FF 00", .dataOut(.persistentReserveOut), reserveOut, length: (5, 4),
                "PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY", "SPC-5 6.16"),
            CommandRow(
                "5F 07 FF 00 00 FF FF FF FF 00", .dataOut(.persistentReserveOut), reserveOut, length: (5, 4),
                "PERSISTENT RESERVE OUT, REGISTER AND MOVE", "SPC-5 6.16"),
        ]
    }
}
