import SAM

/// The commands, one row each, ascending by operation code and service action: the one place where a command is
/// described. A copy stands in `fixtures/tables/commands.txt`.
///
/// Usage data: FF and parts of it are bits that are evaluated. What is not supported (NACA) is zero.
package struct CommandTable: ~Copyable {
    /// Every row, ascending; the files beside this one have them by family.
    package static var rows: [CommandRow] {
        (primaryRows + parameterRows + blockRows + mediumRows + protectedRows + reservationRows)
            .sorted { $0.key < $1.key }
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
    @inline(__always) func look(up cdb: CDB) -> UInt8 {
        let isLong = cdb[0] == CommandRow.variableLength
        return find(opcode: cdb[0], serviceAction: isLong ? cdb.big16(8) : UInt16(cdb[1] & 0x1F))
    }

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
