import ISCSIFormats
import Primitives

/// What carries the bytes of a recovering host: a bench in memory, or sockets.
package protocol HostWires: AnyObject {
    /// Connects stream `number` to the target; false: it takes no connection.
    func connect(_ number: UInt32) -> Bool
    /// Sends bytes on a stream.
    func send(_ number: UInt32, _ bytes: [UInt8])
    /// What has come on a stream since the last call, and whether the target has closed it.
    func receive(_ number: UInt32) -> (bytes: [UInt8], isClosed: Bool)
    /// Closes a stream from this side; what is on its way may be lost.
    func drop(_ number: UInt32)
    /// Lets the target work. False: nothing came for as long as it usually takes.
    func turn() -> Bool
}

/// An initiator of several connections at ErrorRecoveryLevel 2 that loses connections and finds PDUs damaged, and
/// recovers as RFC 7143 §7 says. Every command's data are compared, and every command must be answered once. It runs
/// against the iSCSI target alone, over sockets against a pair, and against a simulated one.
package final class RecoveringHost {
    /// One connection.
    final class Link {
        let stream: UInt32
        let cid: UInt16
        var expStatSN: UInt32 = 0
        /// Bytes that are no whole PDU yet.
        var bytes: [UInt8] = []
        var hasDigests = false
        /// StatSNs that came before others.
        var early: Set<UInt32> = []
        var asked: UInt32?
        init(_ stream: UInt32, cid: UInt16) {
            self.stream = stream
            self.cid = cid
        }
    }

    /// A PDU of the target.
    struct Seen {
        var header: [UInt8]
        var data: [UInt8]
        var opcode: Opcode? { Opcode(rawValue: header[0] & 0x3F) }
        func decoded<T>(_ body: (UnsafeRawPointer) -> T) -> T { header.withUnsafeBytes { body($0.baseAddress!) } }
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
        /// Sense key of the response.
        var senseKey: UInt8 = 0
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

    /// What happened so far.
    package struct Counts: Sendable {
        package var completed = 0, drops = 0, damaged = 0, reassigned = 0, retried = 0, snacks = 0, attentions = 0
        package var resets = 0, aborted = 0
    }

    let wires: any HostWires
    let names: [String]
    var random: SeededRandom
    var links: [Link] = []
    var tasks: [UInt32: Task] = [:]
    /// Connections that are gone, with the last ExpStatSN of each.
    var lost: [(cid: UInt16, expStatSN: UInt32)] = []
    /// What the unit has, from block 0 on: blocks of 512 bytes.
    package var model: [UInt8]
    var locked = Set<Int>()
    /// Commands that were sent for the first time.
    var submitted = 0
    var cmdSN: UInt32 = 0xFFFF_FFF0
    var expCmdSN: UInt32 = 0xFFFF_FFF0
    var maxCmdSN: UInt32 = 0xFFFF_FFF0
    var tsih: UInt16 = 0
    var nextTag: UInt32 = 1
    var nextStream: UInt32 = 1
    /// Tags of Logout Requests that were answered.
    var loggedOut: Set<UInt32> = []
    package internal(set) var counts = Counts()
    /// What should not have been; empty when all is well.
    package internal(set) var problems: [String] = []
    /// Faults happen once in so many PDUs; 0: never.
    package var faultRate: UInt64 = 20
    /// Further keys of the leading login.
    package var keys: [String] = []
    /// A LOGICAL UNIT RESET is sent once in so many turns; 0: never. It takes TaskReporting=ResponseFence to know what
    /// became of the commands before it.
    package var resetRate: UInt64 = 0
    /// The reset that is under way.
    var reset: (tag: UInt32, cid: UInt16, cmdSN: UInt32)?
    /// The answer of one was lost with its connection.
    var needsReset = false
    /// Commands that a reset ended, and those of them that were answered after it, with their connections. A target
    /// that closes a connection does not wait for it, and what it had sent there still comes.
    var ended: Set<UInt32> = []
    var late: [(tag: UInt32, link: ObjectIdentifier)] = []

    static let loginKeys = [
        "HeaderDigest=CRC32C", "DataDigest=CRC32C", "ErrorRecoveryLevel=2", "MaxConnections=4", "InitialR2T=No",
        "FirstBurstLength=8192", "MaxBurstLength=16384", "DefaultTime2Wait=2", "DefaultTime2Retain=20",
    ]
    static let regionBlocks = 64
    /// Turns that an answer may take.
    static let patience = 400

    /// - Parameters:
    ///   - names: InitiatorName and TargetName, as text keys.
    ///   - model: what the unit has; only these blocks are used.
    package init(_ wires: any HostWires, names: [String], model: [UInt8], seed: UInt64) {
        self.wires = wires
        self.names = names
        self.model = model
        random = SeededRandom(seed: seed)
    }

    func chance() -> Bool { faultRate > 0 && random.chance(1, in: faultRate) }

    /// Opens a connection; `replacing` the one with that CID.
    func open(cid: UInt16, expStatSN: UInt32 = 0) {
        let link = Link(nextStream, cid: cid)
        nextStream += 1
        guard wires.connect(link.stream) else {
            problems.append("no connection")
            return
        }
        var text = names + (tsih == 0 ? Self.loginKeys + keys : Array(Self.loginKeys.prefix(2)))
        text.append("MaxRecvDataSegmentLength=\(random.chance(1, in: 2) ? 4096 : 2048)")
        var pdu = LoginRequestPDU()
        pdu.transit = true
        pdu.currentStage = LoginStage.operationalNegotiation.rawValue
        pdu.nextStage = LoginStage.fullFeaturePhase.rawValue
        pdu.isid = ISID(0x8000_0000_0001)
        pdu.initiatorTaskTag = 1
        pdu.tsih = tsih
        pdu.cid = cid
        pdu.cmdSN = cmdSN
        pdu.expStatSN = expStatSN
        wires.send(link.stream, bytes(link, data: text.flatMap { Array($0.utf8) + [0] }, pdu.encode))
        guard let seen = loginAnswer(link) else {
            problems.append("no login response")
            return
        }
        let response = seen.decoded { LoginResponsePDU(decoding: $0) }
        if response.status != 0 { problems.append("login status \(response.status)") }
        tsih = response.tsih
        link.hasDigests = true
        link.expStatSN = response.serials.statSN &+ 1
        note(response.serials)
        links.append(link)
    }

    private func loginAnswer(_ link: Link) -> Seen? {
        for _ in 0..<Self.patience {
            _ = wires.turn()
            let (bytes, isClosed) = wires.receive(link.stream)
            link.bytes += bytes
            if let seen = next(link) {
                if seen.opcode == .loginResponse { return seen }
                problems.append("\(String(describing: seen.opcode)) instead of a login response")
                return nil
            }
            if isClosed {
                problems.append("a login was closed")
                return nil
            }
            // The others go on: what came for them would hide that nothing came here.
            receiveAll()
        }
        return nil
    }

    func note(_ serials: TargetSerialNumbers) {
        if SerialNumber(expCmdSN) < SerialNumber(serials.expCmdSN) { expCmdSN = serials.expCmdSN }
        if SerialNumber(maxCmdSN) < SerialNumber(serials.maxCmdSN) { maxCmdSN = serials.maxCmdSN }
    }

    /// A PDU as it goes on a connection, with digests as agreed.
    func bytes(_ link: Link, data: [UInt8], _ encode: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 48)
        header.withUnsafeMutableBytes { encode($0.baseAddress!) }
        for (place, shift) in [(5, 16), (6, 8), (7, 0)] { header[place] = UInt8(data.count >> shift & 0xFF) }
        let padded = data + [UInt8](repeating: 0, count: (4 - data.count % 4) % 4)
        if !link.hasDigests { return header + padded }
        return header + Self.digest(header) + padded + (data.isEmpty ? [] : Self.digest(padded))
    }

    static func digest(_ bytes: [UInt8]) -> [UInt8] {
        let crc = bytes.withUnsafeBytes { Checksum.crc32c($0.baseAddress!, $0.count) }
        return [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: crc >> $0) }
    }

    /// Sends a PDU, sometimes damaged.
    func send(_ link: Link, data: [UInt8] = [], _ encode: (UnsafeMutableRawPointer) -> Void) {
        var all = bytes(link, data: data, encode)
        if !data.isEmpty && chance() {
            counts.damaged += 1
            all[52 + Int(random.below(UInt64(data.count)))] ^= 0x10
        } else if faultRate > 0 && random.chance(1, in: faultRate * 20) {
            all[Int(random.below(48))] ^= 0x40
        }
        wires.send(link.stream, all)
    }
}
