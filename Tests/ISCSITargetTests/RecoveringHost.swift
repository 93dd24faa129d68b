import ISCSIFormats
import Primitives
import SAM

@testable import ISCSITarget

/// An initiator of several connections at ErrorRecoveryLevel 2 that loses connections and finds PDUs damaged, and
/// recovers as RFC 7143 §7 says. Every command's data are compared, and every command must be answered once.
final class RecoveringHost {
    /// One connection.
    final class Link {
        let wire: Initiator
        let cid: UInt16
        var expStatSN: UInt32
        /// StatSNs that came before others.
        var early: Set<UInt32> = []
        var asked: UInt32?
        init(_ wire: Initiator, cid: UInt16, expStatSN: UInt32) {
            self.wire = wire
            self.cid = cid
            self.expStatSN = expStatSN
        }
        var stream: UInt32 { wire.stream }
    }

    /// One command.
    final class Task {
        let tag: UInt32
        let cmdSN: UInt32
        let block: Int
        var data: [UInt8]
        let isRead: Bool
        let immediate: Int
        /// CID of its connection; nil while it waits to be reassigned.
        var cid: UInt16?
        var nextDataSN: UInt32 = 0
        var acknowledged: UInt32 = 0
        var received = 0
        var acknowledgedBytes = 0
        var wasMoved = false
        var early: [UInt32: (DataInPDU, [UInt8])] = [:]
        var answered: Set<UInt32> = []
        var nextR2TSN: UInt32 = 0
        var response: (SCSIResponsePDU, UInt32)?
        var reassign: UInt32?
        init(_ tag: UInt32, _ cmdSN: UInt32, _ block: Int, _ data: [UInt8], isRead: Bool, immediate: Int) {
            self.tag = tag
            self.cmdSN = cmdSN
            self.block = block
            self.data = data
            self.isRead = isRead
            self.immediate = immediate
        }
    }

    struct Counts { var completed = 0, drops = 0, damaged = 0, reassigned = 0, retried = 0, snacks = 0 }

    let bench: Bench
    var random: SeededRandom
    var links: [Link] = []
    var tasks: [UInt32: Task] = [:]
    /// Connections that are gone, with the last ExpStatSN of each.
    var lost: [(cid: UInt16, expStatSN: UInt32)] = []
    var model: [UInt8]
    var locked = Set<Int>()
    var cmdSN: UInt32 = 0xFFFF_FFF0
    var expCmdSN: UInt32 = 0xFFFF_FFF0
    var maxCmdSN: UInt32 = 0xFFFF_FFF0
    var tsih: UInt16 = 0
    var nextTag: UInt32 = 1
    var nextStream: UInt32 = 1
    var counts = Counts()
    var problems: [String] = []
    /// Faults happen once in so many PDUs; 0: never.
    var faultRate: UInt64 = 20

    static let keys = [
        "HeaderDigest=CRC32C", "DataDigest=CRC32C", "ErrorRecoveryLevel=2", "MaxConnections=4", "InitialR2T=No",
        "FirstBurstLength=8192", "MaxBurstLength=16384", "DefaultTime2Wait=2", "DefaultTime2Retain=20",
    ]
    static let regionBlocks = 64

    init(_ bench: Bench, seed: UInt64) {
        self.bench = bench
        random = SeededRandom(seed: seed)
        model = RAMDevice.noise
        bench.device.disk = model
    }

    func chance() -> Bool { faultRate > 0 && random.chance(1, in: faultRate) }

    /// Opens a connection; `replacing` the one with that CID.
    func open(cid: UInt16, expStatSN: UInt32 = 0) {
        let wire = Initiator(bench, stream: nextStream)
        nextStream += 1
        var keys = Initiator.names + (tsih == 0 ? Self.keys : Array(Self.keys.prefix(2)))
        keys.append("MaxRecvDataSegmentLength=\(random.chance(1, in: 2) ? 4096 : 2048)")
        wire.putLogin(keys) { pdu in
            pdu.tsih = self.tsih
            pdu.cid = cid
            pdu.cmdSN = self.cmdSN
            pdu.expStatSN = expStatSN
        }
        guard let seen = wire.take().first, seen.opcode == .loginResponse else {
            problems.append("no login response")
            return
        }
        let response = seen.decoded { LoginResponsePDU(decoding: $0) }
        if response.status != 0 { problems.append("login status \(response.status)") }
        tsih = response.tsih
        wire.headerDigest = true
        wire.dataDigest = true
        note(response.serials)
        links.append(Link(wire, cid: cid, expStatSN: response.serials.statSN &+ 1))
    }

    func note(_ serials: TargetSerialNumbers) {
        if SerialNumber(expCmdSN) < SerialNumber(serials.expCmdSN) { expCmdSN = serials.expCmdSN }
        if SerialNumber(maxCmdSN) < SerialNumber(serials.maxCmdSN) { maxCmdSN = serials.maxCmdSN }
    }

    /// Sends a PDU, sometimes damaged.
    func send(_ link: Link, data: [UInt8] = [], _ encode: (UnsafeMutableRawPointer) -> Void) {
        let before = bench.toTarget[link.stream]?.count ?? 0
        link.wire.put(encode, data: data)
        if !data.isEmpty && chance() {
            counts.damaged += 1
            bench.toTarget[link.stream]?[before + 52 + Int(random.below(UInt64(data.count)))] ^= 0x10
        } else if faultRate > 0 && random.chance(1, in: faultRate * 20) {
            bench.toTarget[link.stream]?[before + Int(random.below(48))] ^= 0x40
        }
    }

    // MARK: Commands

    /// Sends commands as far as the window and the free regions allow.
    func submit(limit: Int) -> Int {
        var count = 0
        while count < limit, tasks.count < 12, !links.isEmpty, SerialNumber(cmdSN) <= SerialNumber(maxCmdSN) {
            let region = Int(random.below(UInt64(model.count / 512 / Self.regionBlocks)))
            if locked.contains(region) { continue }
            locked.insert(region)
            let blocks = random.chance(1, in: 3) ? Int(random.below(UInt64(Self.regionBlocks))) + 1 : 8
            let isRead = random.chance(1, in: 2)
            let block = region * Self.regionBlocks
            let start = block * 512
            let data = isRead
                ? Array(model[start..<(start + blocks * 512)]) : pattern(blocks * 512, seed: random.next())
            let most = min(data.count, 8192)
            let immediate = isRead || random.chance(1, in: 3) ? 0 : random.chance(1, in: 2) ? most : min(most, 1500)
            let task = Task(nextTag, cmdSN, block, data, isRead: isRead, immediate: immediate)
            nextTag += 1
            cmdSN &+= 1
            tasks[task.tag] = task
            put(task, on: links[Int(random.below(UInt64(links.count)))])
            count += 1
        }
        return count
    }

    /// Sends a command, for the first time or again, with its unsolicited data.
    func put(_ task: Task, on link: Link) {
        task.cid = link.cid
        task.response = nil
        let blocks = task.data.count / 512
        let cdb = task.isRead ? Initiator.read10(task.block, blocks) : Initiator.write10(task.block, blocks)
        let unsolicited = task.immediate == 1500 && task.tag % 2 == 0 ? min(task.data.count, 8192) : task.immediate
        var pdu = SCSICommandPDU()
        pdu.initiatorTaskTag = task.tag
        pdu.final = unsolicited == task.immediate
        pdu.read = task.isRead
        pdu.write = !task.isRead
        pdu.expectedDataTransferLength = UInt32(task.data.count)
        pdu.cmdSN = task.cmdSN
        pdu.expStatSN = link.expStatSN
        for (index, byte) in cdb.enumerated() { pdu.cdb[index] = byte }
        send(link, data: Array(task.data[0..<task.immediate]), pdu.encode)
        putData(task, link, task.immediate, unsolicited, Tag.none)
    }

    /// Sends Data-Out PDUs of one sequence.
    func putData(_ task: Task, _ link: Link, _ start: Int, _ end: Int, _ transferTag: UInt32) {
        var at = start
        var number: UInt32 = 0
        while at < end {
            let count = min(3000, end - at)
            var pdu = DataOutPDU()
            pdu.final = at + count == end
            pdu.initiatorTaskTag = task.tag
            pdu.targetTransferTag = transferTag
            pdu.expStatSN = link.expStatSN
            pdu.dataSN = number
            pdu.bufferOffset = UInt32(at)
            send(link, data: Array(task.data[at..<(at + count)]), pdu.encode)
            at += count
            number += 1
        }
    }

    func finish(_ task: Task, _ response: SCSIResponsePDU) {
        if response.status != 0 { problems.append("task \(task.tag): status \(response.status)") }
        if response.residual != Residual() { problems.append("task \(task.tag): residual") }
        if !task.isRead {
            model.replaceSubrange((task.block * 512)..<(task.block * 512 + task.data.count), with: task.data)
        }
        locked.remove(task.block / Self.regionBlocks)
        tasks[task.tag] = nil
        counts.completed += 1
    }
}
