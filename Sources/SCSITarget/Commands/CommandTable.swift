import SAM

/// The commands, one row each, ascending by operation code and service action: the one place where a command is
/// described. A copy stands in `fixtures/tables/commands.txt`.
package struct CommandTable: ~Copyable {
    // Usage data: FF and parts of it are bits that are evaluated. FUA and DPO are bits 3 and 4 of byte 1 of READ and
    // WRITE; RDPROTECT, WRPROTECT, VRPROTECT, GROUP NUMBER and NACA are not supported, so their bits are zero.
    package static var rows: [CommandRow] {
        [
            CommandRow("00 00 00 00 00 00", .testUnitReady, [], "TEST UNIT READY", "SPC-4 6.47"),
            CommandRow(
                "03 01 00 00 FF 00", .requestSense, [.attentionExempt], length: (4, 1), "REQUEST SENSE", "SPC-4 6.39"),
            CommandRow("08 1F FF FF FF 00", .read, [], "READ (6)", "SBC-3 5.10"),
            CommandRow("0A 1F FF FF FF 00", .write, [.writes], "WRITE (6)", "SBC-3 5.36"),
            CommandRow(
                "12 01 FF FF FF 00", .inquiry, [.stateless, .attentionExempt], length: (3, 2), "INQUIRY", "SPC-4 6.6"),
            CommandRow("15 10 00 00 FF 00", .modeSelect, [], length: (4, 1), "MODE SELECT (6)", "SPC-4 6.9"),
            CommandRow("1A 08 FF FF FF 00", .modeSense, [], length: (4, 1), "MODE SENSE (6)", "SPC-4 6.11"),
            CommandRow("1B 01 00 00 01 00", .startStopUnit, [], "START STOP UNIT", "SBC-3 5.25"),
            CommandRow("25 00 00 00 00 00 00 00 00 00", .readCapacity10, [], "READ CAPACITY (10)", "SBC-3 5.15"),
            CommandRow("28 18 FF FF FF FF 00 FF FF 00", .read, [], "READ (10)", "SBC-3 5.11"),
            CommandRow("2A 18 FF FF FF FF 00 FF FF 00", .write, [.writes], "WRITE (10)", "SBC-3 5.37"),
            CommandRow(
                "2E 12 FF FF FF FF 00 FF FF 00", .writeAndVerify, [.writes], "WRITE AND VERIFY (10)", "SBC-3 5.41"),
            CommandRow("2F 16 FF FF FF FF 00 FF FF 00", .verify, [], "VERIFY (10)", "SBC-3 5.31"),
            CommandRow("34 02 FF FF FF FF 00 FF FF 00", .preFetch, [], "PRE-FETCH (10)", "SBC-3 5.8"),
            CommandRow(
                "35 02 FF FF FF FF 00 FF FF 00", .synchronizeCache, [], timeout: 60, "SYNCHRONIZE CACHE (10)",
                "SBC-3 5.26"),
            CommandRow(
                "55 10 00 00 00 00 00 FF FF 00", .modeSelect, [], length: (7, 2), "MODE SELECT (10)", "SPC-4 6.10"),
            CommandRow(
                "5A 18 FF FF 00 00 00 FF FF 00", .modeSense, [], length: (7, 2), "MODE SENSE (10)", "SPC-4 6.12"),
            CommandRow("88 18 FF FF FF FF FF FF FF FF FF FF FF FF 00 00", .read, [], "READ (16)", "SBC-3 5.13"),
            CommandRow(
                "8A 18 FF FF FF FF FF FF FF FF FF FF FF FF 00 00", .write, [.writes], "WRITE (16)", "SBC-3 5.39"),
            CommandRow(
                "8E 12 FF FF FF FF FF FF FF FF FF FF FF FF 00 00", .writeAndVerify, [.writes], "WRITE AND VERIFY (16)",
                "SBC-3 5.43"),
            CommandRow("8F 16 FF FF FF FF FF FF FF FF FF FF FF FF 00 00", .verify, [], "VERIFY (16)", "SBC-3 5.33"),
            CommandRow("90 02 FF FF FF FF FF FF FF FF FF FF FF FF 00 00", .preFetch, [], "PRE-FETCH (16)", "SBC-3 5.9"),
            CommandRow(
                "91 02 FF FF FF FF FF FF FF FF FF FF FF FF 00 00", .synchronizeCache, [], timeout: 60,
                "SYNCHRONIZE CACHE (16)", "SBC-3 5.27"),
            CommandRow(
                "9E 10 00 00 00 00 00 00 00 00 FF FF FF FF 00 00", .readCapacity16, [.serviceAction], length: (10, 4),
                "READ CAPACITY (16)", "SBC-3 5.16"),
            CommandRow(
                "A0 00 FF 00 00 00 FF FF FF FF 00 00", .reportLUNs, [.stateless, .attentionExempt], length: (6, 4),
                "REPORT LUNS", "SPC-4 6.33"),
            CommandRow(
                "A3 EA 00 00 00 00 FF FF FF FF 00 00", .reportTargetPortGroups, [.serviceAction, .pair], length: (6, 4),
                "REPORT TARGET PORT GROUPS", "SPC-4 6.37"),
            CommandRow(
                "A3 0C 87 FF FF FF FF FF FF FF 00 00", .reportSupportedOperationCodes, [.serviceAction], length: (6, 4),
                "REPORT SUPPORTED OPERATION CODES", "SPC-4 6.35"),
            CommandRow(
                "A3 0D 80 00 00 00 FF FF FF FF 00 00", .reportSupportedTaskManagementFunctions, [.serviceAction],
                length: (6, 4), "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", "SPC-4 6.36"),
            CommandRow("A8 18 FF FF FF FF FF FF FF FF 00 00", .read, [], "READ (12)", "SBC-3 5.12"),
            CommandRow("AA 18 FF FF FF FF FF FF FF FF 00 00", .write, [.writes], "WRITE (12)", "SBC-3 5.38"),
            CommandRow(
                "AE 12 FF FF FF FF FF FF FF FF 00 00", .writeAndVerify, [.writes], "WRITE AND VERIFY (12)",
                "SBC-3 5.42"),
            CommandRow("AF 16 FF FF FF FF FF FF FF FF 00 00", .verify, [], "VERIFY (12)", "SBC-3 5.32"),
        ]
    }

    /// Row index that stands for an unknown operation code, and for an unknown service action of a known one.
    static var unknownOpcode: UInt8 { 0xFF }
    static var unknownServiceAction: UInt8 { 0xFE }

    private let storage: UnsafeMutablePointer<CommandRow>
    /// First row of each operation code.
    private let first: UnsafeMutablePointer<UInt8>
    /// Rows in the table.
    package let count: Int

    /// The table of an array with `controllers` controllers.
    package init(controllers: Int) {
        let rows = Self.rows.filter { controllers > 1 || !$0.traits.contains(.pair) }
        precondition(rows.count < 0xFE)
        count = rows.count
        storage = .allocate(capacity: rows.count)
        first = .allocate(capacity: 256)
        first.initialize(repeating: Self.unknownOpcode, count: 256)
        for (index, row) in rows.enumerated() {
            (storage + index).initialize(to: row)
            if first[Int(row.opcode)] == Self.unknownOpcode { first[Int(row.opcode)] = UInt8(index) }
        }
    }

    deinit {
        storage.deinitialize(count: count)
        storage.deallocate()
        first.deallocate()
    }

    /// A row by its index.
    package subscript(index: Int) -> CommandRow {
        unsafeAddress {
            precondition(index >= 0 && index < count)
            return UnsafePointer(storage + index)
        }
    }

    /// The row of a CDB, or one of the two indices that say why there is none.
    @inline(__always) func look(up cdb: CDB) -> UInt8 { find(opcode: cdb[0], serviceAction: UInt16(cdb[1] & 0x1F)) }

    /// The row of an operation code and, where it has service actions, a service action.
    @inline(__always) func find(opcode: UInt8, serviceAction: UInt16) -> UInt8 {
        var index = Int(first[Int(opcode)])
        if index == Int(Self.unknownOpcode) { return Self.unknownOpcode }
        if !storage[index].traits.contains(.serviceAction) { return UInt8(index) }
        while index < count, storage[index].opcode == opcode {
            if storage[index].serviceAction == serviceAction { return UInt8(index) }
            index += 1
        }
        return Self.unknownServiceAction
    }

    /// Whether an operation code has service actions; nil when it is unknown.
    func hasServiceActions(_ opcode: UInt8) -> Bool? {
        let index = first[Int(opcode)]
        return index == Self.unknownOpcode ? nil : storage[Int(index)].traits.contains(.serviceAction)
    }
}
