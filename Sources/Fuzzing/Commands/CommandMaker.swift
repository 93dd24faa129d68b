import SAM
import SCSITarget

/// Makes CDBs that come far: an operation code and service action of the table, fields where the usage data allow
/// some; and now and then anything.
struct CommandMaker {
    private static let table = CommandTable.rows
    let rows = Self.table

    mutating func cdb(_ input: inout FuzzInput) -> CDB {
        var cdb = CDB()
        let choice = Int(input.byte())
        let bytes = Int(input.byte())
        if choice >= 248 {
            for (index, byte) in input.take(bytes % 33).enumerated() { cdb[index] = byte }
            return cdb
        }
        let row = rows[choice % rows.count]
        let last = min(Int(row.length), 32)
        cdb[0] = row.opcode
        for index in 1..<last {
            cdb[index] = (index < 8 || row.isVariableLength || bytes & 1 == 1 ? input.byte() : 0) & row.usage[index]
        }
        if bytes & 1 == 0, last > 8 {
            // Short fields behind the eighth byte: lengths that fit, most of the time.
            cdb[last - 2] = input.byte() & row.usage[last - 2]
            cdb[last - 3] = bytes & 2 == 2 ? input.byte() & row.usage[last - 3] : 0
        }
        if bytes & 4 == 4 { for index in 2..<6 { cdb[index] = 0 } }
        if row.isVariableLength {
            cdb[7] = row.length - 8
            cdb[8] = row.usage[8]
            cdb[9] = row.usage[9]
            if bytes & 4 == 4 { for index in 12..<18 { cdb[index] = 0 } }
        } else if let action = row.serviceAction {
            cdb[1] = cdb[1] & 0xE0 | UInt8(truncatingIfNeeded: action) & 0x1F
        }
        // xxPROTECT, where a command has it.
        if bytes & 0xC0 == 0x40, case .medium = row.handler { cdb[row.flagsByte] |= UInt8(bytes & 0x38) << 2 }
        if bytes >= 240 { cdb[bytes & 15] ^= 1 << UInt8(bytes >> 1 & 7) }
        return cdb
    }

    /// A parameter list that comes far, made of `bytes`: most of what is random is refused by its header.
    func list(for cdb: CDB, _ bytes: [UInt8]) -> [UInt8] {
        var list = bytes + [UInt8](repeating: 0, count: 16)
        let choice = list[0]
        switch (cdb[0], cdb[1] & 0x1F) {
        case (0x04, _):
            // FOV and IP with a short pattern, or no option but IMMED.
            let start = cdb[1] & 0x20 == 0 ? 4 : 8
            for index in 0..<start { list[index] = 0 }
            list[1] = choice & 1 == 1 ? 0x88 | choice & 2 : choice & 2
            list[start] = 0
            list[start + 1] = 1
            list[start + 2] = 0
            list[start + 3] = 1 + choice >> 6
        case (0x48, 1):
            list[0] = choice & 0x83 | 1
            list[2] = 0
            list[3] = 1 + choice >> 6
        default: return bytes
        }
        return list
    }

    /// The row that a CDB is of, nil when there is none.
    func row(of cdb: CDB) -> CommandRow? {
        rows.first { row in
            guard row.opcode == cdb[0], let action = row.serviceAction else { return row.opcode == cdb[0] }
            return action == (row.isVariableLength ? cdb.big16(8) : UInt16(cdb[1] & 0x1F))
        }
    }

    /// Not more than this may come as parameter data; nil for a command without ALLOCATION LENGTH.
    func allocation(of cdb: CDB) -> UInt32? {
        guard let row = row(of: cdb), row.lengthField.width > 0 else { return nil }
        return row.lengthValue(cdb)
    }
}
