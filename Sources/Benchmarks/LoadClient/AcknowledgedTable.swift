import Glibc

/// What the client knows of each 512-byte sector: the sequence number of the last acknowledged write, and of one write
/// whose fate is unknown (sent, never answered). It lives in a shared file mapping, so it is right at every moment,
/// also after the client itself was killed: `pending` is set before a write is sent, `acknowledged` before it counts.
final class AcknowledgedTable {
    struct Entry {
        /// 0: nothing acknowledged yet.
        var acknowledged: UInt64
        /// 0: no write of unknown fate. Otherwise old (`acknowledged`) and new (`pending`) are both right.
        var pending: UInt64
    }

    private static let magic: UInt64 = 0x3162_6174_6461_6F6C
    private static let headerBytes = 4096
    private let mapping: UnsafeMutableRawPointer
    private let mappedBytes: Int
    let entries: UnsafeMutablePointer<Entry>
    let sectors: UInt64

    /// The seed that all stamps of this table carry.
    var seed: UInt64 { mapping.load(fromByteOffset: 8, as: UInt64.self) }

    /// Takes the next sequence number; it is never given again, whatever happens to this process.
    @inline(__always) func takeSequence() -> UInt64 {
        let next = mapping.load(fromByteOffset: 24, as: UInt64.self) &+ 1
        mapping.storeBytes(of: next, toByteOffset: 24, as: UInt64.self)
        return next
    }

    /// Opens or makes the table of a unit of `sectors` sectors; without a path it is only in this process's memory.
    /// The error is a sentence.
    init(path: String?, sectors: UInt64, seed: UInt64) throws(TableError) {
        let (entryBytes, overflow) = sectors.multipliedReportingOverflow(by: UInt64(MemoryLayout<Entry>.stride))
        guard !overflow, entryBytes < 1 << 46 else { throw TableError("a unit of \(sectors) sectors is too large") }
        let bytes = Self.headerBytes + Int(entryBytes)
        var descriptor: Int32 = -1
        var flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        if let path {
            descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw TableError("\(path): \(String(cString: strerror(errno)))") }
            var status = stat()
            fstat(descriptor, &status)
            guard status.st_size == 0 || status.st_size == bytes else {
                close(descriptor)
                throw TableError("\(path) is the table of another unit: \(status.st_size) bytes, not \(bytes)")
            }
            guard ftruncate(descriptor, bytes) == 0 else { throw TableError("\(path) cannot be \(bytes) bytes long") }
            flags = MAP_SHARED | MAP_NORESERVE
        }
        let address = mmap(nil, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0)
        if descriptor >= 0 { close(descriptor) }
        guard let address, address != MAP_FAILED else { throw TableError("cannot map a table of \(bytes) bytes") }
        if address.load(as: UInt64.self) == 0 {
            address.storeBytes(of: seed &* 0x9E37_79B9_7F4A_7C15 ^ monotonicNow(), toByteOffset: 8, as: UInt64.self)
            address.storeBytes(of: sectors, toByteOffset: 16, as: UInt64.self)
            address.storeBytes(of: Self.magic, as: UInt64.self)
        }
        guard address.load(as: UInt64.self) == Self.magic,
            address.load(fromByteOffset: 16, as: UInt64.self) == sectors
        else {
            munmap(address, bytes)
            throw TableError("\(path ?? "memory") is no table of this unit")
        }
        mapping = address
        mappedBytes = bytes
        entries = (address + Self.headerBytes).assumingMemoryBound(to: Entry.self)
        self.sectors = sectors
    }

    deinit { munmap(mapping, mappedBytes) }

    /// A write of `count` sectors is about to be sent.
    @inline(__always) func willWrite(first: UInt64, count: Int, sequence: UInt64) {
        let from = entries + Int(first)
        for index in 0..<count { from[index].pending = sequence }
    }

    /// … and was acknowledged. The order matters: a crash between the two leaves both values right.
    @inline(__always) func didWrite(first: UInt64, count: Int, sequence: UInt64) {
        let from = entries + Int(first)
        for index in 0..<count {
            from[index].acknowledged = sequence
            from[index].pending = 0
        }
    }

    /// Compares what was read with what may be there, and settles the fate of pending writes: what was read once must
    /// be read again. Returns the first mismatch as a sentence.
    @inline(__always)
    func compare(_ base: UnsafeRawPointer, first: UInt64, count: Int) -> String? {
        for index in 0..<count {
            let entry = entries[Int(first) + index]
            if entry.acknowledged == 0, entry.pending == 0 { continue }
            let finding = Stamp.read(base + index * Stamp.sectorSize)
            let number = first + UInt64(index)
            if case .stamped(number, let sequence, seed) = finding,
                sequence == entry.acknowledged || sequence == entry.pending {
                if entry.pending != 0 { settle(Int(first) + index, sequence) }
            } else if entry.acknowledged == 0 {
                // Never acknowledged: the old content is unknown, and the new one is not there.
                settle(Int(first) + index, 0)
            } else {
                return describe(finding, number, entry)
            }
        }
        return nil
    }

    private func settle(_ index: Int, _ sequence: UInt64) {
        entries[index].acknowledged = sequence
        entries[index].pending = 0
    }

    private func describe(_ finding: Stamp.Finding, _ number: UInt64, _ entry: Entry) -> String {
        let found =
            switch finding {
            case .zero: "zeros"
            case .torn(let sequence): "a torn stamp of sequence \(sequence)"
            case .foreign(let word): "bytes that no stamp begins with (\(String(word, radix: 16)))"
            case .stamped(let sector, _, _) where sector != number: "the stamp of sector \(sector)"
            case .stamped(_, _, let other) where other != seed: "a stamp of another table (seed \(other))"
            case .stamped(_, let sequence, _) where sequence < entry.acknowledged: "older data, sequence \(sequence)"
            case .stamped(_, let sequence, _): "data never acknowledged nor pending, sequence \(sequence)"
            }
        let pending = entry.pending == 0 ? "" : " (or \(entry.pending), in flight)"
        return "sector \(number), byte \(number * 512): found \(found); acknowledged is \(entry.acknowledged)\(pending)"
    }

    /// The first block of `size` sectors, from block `from` on, of which something is known, or is pending; nil: none.
    func nextKnown(block from: UInt64, blockSectors size: UInt64, pendingOnly: Bool) -> UInt64? {
        var sector = from * size
        while sector < sectors {
            let entry = entries[Int(sector)]
            if entry.pending != 0 || (!pendingOnly && entry.acknowledged != 0) { return sector / size }
            sector += 1
        }
        return nil
    }
}

/// Why a table cannot be used, as a sentence.
struct TableError: Error {
    var sentence: String
    init(_ sentence: String) { self.sentence = sentence }
}
