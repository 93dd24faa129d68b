import BlockModel
import Primitives
import SAM
import SCSIFormats
import SCSITarget

/// Commands straight to a device server, by a transport in miniature: each gets exactly one last word, whatever its
/// CDB, its parameter list, the unit's state block and the partner say.
final class CommandsTarget {
    static let slots = 8
    static let nexuses = 3
    /// What stood in a parameter page before a command.
    static let poison: UInt64 = 0xA55A_C33C_A55A_C33C

    struct Entry {
        var command: SCSICommand
        var dataOut: [UInt8]
        var allocation: UInt32?
        var sent: UInt32 = 0
        var taken: UInt32 = 0
        var isLost = false
        var isDelivering = false
        var finalSent = false
    }

    let oracle: Oracle
    let bench: DeviceBench
    var maker = CommandMaker()
    /// Commands without a last word, by slot.
    var entries: [Int: Entry] = [:]
    var generation: UInt16 = 0
    var holds = false
    var held: [TransportIndication] = []
    var management: Set<UInt16> = []
    var requests: UInt16 = 0
    /// Keeps the looks at data from being optimised away.
    var touched: UInt8 = 0

    init(_ oracle: Oracle, _ input: inout FuzzInput) {
        self.oracle = oracle
        let options = input.byte()
        bench = DeviceBench(
            oracle, slots: Self.slots, nexuses: Self.nexuses, descriptorSense: options & 1 == 1,
            controllers: options & 2 == 2 ? 1 : 2)
        for nexus in 0..<2 { login(nexus) }
        // Without the first unit attentions most commands come further.
        if options & 4 == 0 {
            for nexus in 0..<2 { for unit in 0..<DeviceBench.units { send(CDB(), lun: UInt64(unit) << 48, nexus) } }
        }
    }

    func run(_ input: inout FuzzInput) {
        while !input.isEmpty, oracle.failure == nil { step(&input) }
        finish()
    }

    private func step(_ input: inout FuzzInput) {
        switch input.byte() {
        case 0..<176: command(&input)
        case 176..<192: manage(&input)
        case 192..<200: lose(input.below(Self.slots))
        case 200..<208: holds.toggle()
        case 208..<220: giveHeld(backwards: input.flag())
        case 220..<226:
            let nexus = input.below(Self.nexuses)
            logout(nexus)
            login(nexus)
        default: bench.disturb(&input)
        }
        settle()
    }

    // MARK: What happens

    private func login(_ nexus: Int) {
        let name = Array("iqn.2026-11.example:fuzz\(nexus),i,0x80000000000\(nexus)".utf8)
        name.withUnsafeBytes {
            bench.server.handle(
                .nexusEstablished(NexusIndex(UInt16(nexus)), NexusIdentity(target: 0, initiatorPort: $0)),
                at: bench.now)
        }
        settle()
    }

    /// A nexus is lost after each of its commands.
    private func logout(_ nexus: Int) {
        for slot in entries.keys.sorted() where Int(entries[slot]?.command.nexus.raw ?? 0) == nexus { lose(slot) }
        settle()
        bench.server.handle(.nexusLost(NexusIndex(UInt16(nexus))), at: bench.now)
    }

    private func command(_ input: inout FuzzInput) {
        let how = input.byte()
        let cdb = maker.cdb(&input)
        let luns: [UInt64] = [0, 0, 0, 1 << 48, 1 << 48, 2 << 48, 7 << 48, LogicalUnitAddress.reportLUNsField]
        var lun = luns[Int(how & 7)]
        if how >= 250 { lun = input.big64() }
        let dataIn = how & 8 == 8 ? input.length() : 65_536
        let offered = how & 16 == 16 ? input.length() : 4096
        let bytes = how & 32 == 32 ? input.take(Int(input.byte())) : []
        let content = bytes.count & 1 == 1 ? maker.list(for: cdb, bytes) : bytes
        let attribute = how & 0xC0 == 0xC0 ? TaskAttribute(rawValue: UInt8(input.below(4))) ?? .simple : .simple
        send(
            cdb, lun: lun, input.below(2), attribute, dataIn: dataIn, dataOut: offered, content: content)
    }

    private func send(
        _ cdb: CDB, lun: UInt64, _ nexus: Int, _ attribute: TaskAttribute = .simple, dataIn: UInt32 = 0,
        dataOut: UInt32 = 0, content: [UInt8] = []
    ) {
        guard let slot = (0..<Self.slots).first(where: { entries[$0] == nil }) else { return }
        generation &+= 1
        let command = SCSICommand(
            handle: CommandHandle(slot: slot, generation: generation), nexus: NexusIndex(UInt16(nexus)),
            attribute: attribute, lun: lun, cdb: cdb, dataInLength: dataIn, dataOutLength: dataOut)
        entries[slot] = Entry(command: command, dataOut: content, allocation: maker.allocation(of: cdb))
        poison(slot)
        bench.server.handle(.commandReceived(command), at: bench.now)
        settle()
    }

    /// Fills a command's parameter page with what nobody may ever be sent.
    private func poison(_ slot: Int) {
        let page = bench.memory.frames.pointer(Frames.parameter(slot))
        for word in 0..<PageSize.bytes / 8 { page.put(little64: Self.poison, word * 8) }
    }

    private func lose(_ slot: Int) {
        guard let entry = entries[slot], !entry.isLost, !entry.finalSent else { return }
        entries[slot]?.isLost = true
        held.removeAll { Self.handle(of: $0) == entry.command.handle }
        bench.server.handle(.commandLost(entry.command.handle), at: bench.now)
    }

    private func manage(_ input: inout FuzzInput) {
        let function = TaskManagementFunction(rawValue: UInt8(input.below(11))) ?? .abortTask
        let referenced = entries[input.below(Self.slots)]?.command.handle
        requests &+= 1
        management.insert(requests)
        bench.server.handle(
            .taskManagementRequestReceived(
                TaskManagementRequest(
                    request: requests, nexus: NexusIndex(UInt16(input.below(2))), function: function,
                    lun: input.pick([0, 0, 1 << 48, 2 << 48, 9 << 48]), referenced: referenced)),
            at: bench.now)
    }

    static func handle(of indication: TransportIndication) -> CommandHandle? {
        switch indication {
        case .dataInDelivered(let handle), .dataOutReceived(let handle), .commandLost(let handle): handle
        case .commandReceived(let command): command.handle
        case .nexusEstablished, .nexusLost, .taskManagementRequestReceived: nil
        }
    }

    private func giveHeld(backwards: Bool) {
        let all = backwards ? held.reversed() : held
        held = []
        for indication in all { deliver(indication) }
    }

    // MARK: The loop

    func settle() {
        var turns = 0
        while !bench.server.blocks.isEmpty || !bench.server.transport.isEmpty {
            turns += 1
            guard turns < 100_000 else { return oracle.expect(false, "the device server never comes to rest") }
            if let request = bench.server.transport.popFirst() { perform(request) }
            bench.settleMemory()
        }
    }

    private func finish() {
        holds = false
        for _ in 0..<8 where oracle.failure == nil {
            bench.calm()
            giveHeld(backwards: false)
            bench.giveHeld()
            settle()
            bench.now = bench.now + .seconds(10)
            if bench.now >= bench.server.nextDeadline { bench.server.tick(at: bench.now) }
            settle()
        }
        oracle.expect(entries.isEmpty, "commands without a last word: \(entries.values.map { $0.command.cdb[0] })")
        oracle.expect(management.isEmpty, "task management requests without an answer: \(management.sorted())")
        bench.expectIdle(oracle)
    }
}
