import Primitives

/// The ways to copy a page from one controller to the other, in a policy's order of preference (claim 12).
package enum CopyMethod: UInt8, Sendable, CaseIterable {
    /// A SCSI command makes the storage device move the data (EXTENDED COPY).
    case scsiCommand
    /// Memory to memory, through the window on the partner's memory.
    case dma
    /// Write page messages over the channel.
    case messaging
    /// The name in the configuration and in statistics.
    package var name: String {
        switch self {
        case .scsiCommand: "scsi"
        case .dma: "dma"
        case .messaging: "messaging"
        }
    }
}

/// One row of a policy: what holds for memory blocks allocated by requests up to a size (claims 7 and 8).
package struct PolicyRow: Hashable, Sendable {
    /// Largest request, in bytes, that this row is for; the last row of a policy is for all larger ones too.
    package var upTo: UInt64
    /// Bytes in a memory block: a power of two from 4 KiB to 1 MiB.
    package var blockSize: UInt32
    /// Writes are mirrored to the partner; without it every write is written through.
    package var mirror: Bool
    /// Write-back (GOOD when both memories hold it) or write-through (GOOD when the device has it).
    package var writeBack: Bool
    /// Keep writes back in one memory when there is no partner (default false: write through).
    package var keepBackAlone: Bool
    /// Pages read ahead of a sequential stream; 0 for none.
    package var readAhead: UInt32
    /// A dirty page is destaged when it is older than this.
    package var destageAge: Interval
    /// Copy methods, best first.
    package var copyOrder: [CopyMethod]

    package init(
        upTo: UInt64, blockSize: UInt32, mirror: Bool, writeBack: Bool, keepBackAlone: Bool, readAhead: UInt32,
        destageAge: Interval, copyOrder: [CopyMethod]
    ) {
        self.upTo = upTo
        self.blockSize = blockSize
        self.mirror = mirror
        self.writeBack = writeBack
        self.keepBackAlone = keepBackAlone
        self.readAhead = readAhead
        self.destageAge = destageAge
        self.copyOrder = copyOrder
    }
}

/// A named policy: rows keyed by allocation size, smallest first, and the watermarks of destaging.
package struct Policy: Hashable, Sendable {
    package var name: String
    package var rows: [PolicyRow]
    /// Destaging starts when more than this percentage of the data frames is dirty, whatever the age.
    package var highWatermark: UInt8
    /// … and goes on down to this.
    package var lowWatermark: UInt8

    package init(name: String, rows: [PolicyRow], highWatermark: UInt8, lowWatermark: UInt8) {
        self.name = name
        self.rows = rows
        self.highWatermark = highWatermark
        self.lowWatermark = lowWatermark
    }

    /// The row for a request of `bytes`.
    package func row(forRequest bytes: UInt64) -> PolicyRow {
        rows.first { bytes <= $0.upTo } ?? rows[rows.count - 1]
    }

    /// The built-in policy of data: 64 KiB blocks for small requests, 1 MiB for streams, write-back with a partner.
    package static var standard: Policy {
        let small = PolicyRow(
            upTo: 64 << 10, blockSize: 64 << 10, mirror: true, writeBack: true, keepBackAlone: false, readAhead: 32,
            destageAge: .seconds(1), copyOrder: [.dma, .messaging])
        var large = small
        large.upTo = .max
        large.blockSize = 1 << 20
        large.readAhead = 128
        return Policy(name: "standard", rows: [small, large], highWatermark: 40, lowWatermark: 20)
    }

    /// The built-in policy whose writes are always written through.
    package static var writeThrough: Policy {
        var policy = standard
        policy.name = "write-through"
        for index in policy.rows.indices { policy.rows[index].writeBack = false }
        return policy
    }

    /// The built-in policy of state blocks: one page a block, never kept back.
    package static var state: Policy {
        let row = PolicyRow(
            upTo: .max, blockSize: 4 << 10, mirror: true, writeBack: true, keepBackAlone: false, readAhead: 0,
            destageAge: .milliseconds(200), copyOrder: [.dma, .messaging])
        return Policy(name: "state", rows: [row], highWatermark: 100, lowWatermark: 0)
    }

    /// The names that a configuration cannot define anew.
    package static var builtIn: [Policy] { [.standard, .writeThrough, .state] }
}
