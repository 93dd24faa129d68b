import Controller
import Primitives
import Yams

/// `pair:` times and places that both controllers share.
struct PairSection {
    var times = PairDescription()
    /// As they were written; nil for the default places.
    var witness: String?
    var secret: String?

    private static let keys: [KnownKey] = [
        .read("topology"), .read("witness"), .read("lease"), .read("heartbeat"), .read("channel_patience"),
        .read("secret"), .read("failback"),
    ]
    private static let witnessKeys: [KnownKey] = [
        .read("file"), .unavailable("etcd", "a pair on one host uses a witness file, witness: {file: PATH}"),
    ]

    init() {}

    init(_ entry: Entry) {
        guard let section = Section(entry, keys: Self.keys) else { return }
        if let topology = section["topology"], let text = topology.text("topology") {
            switch text {
            case "shared": break
            case "separate":
                topology.refuse("not available in this version: separate; both controllers share the devices")
            default: topology.refuse("'\(text)' is not known; write shared")
            }
        }
        if let entry = section["witness"] { readWitness(entry) }
        if let lease = section["lease"]?.duration(.milliseconds(500) ... .seconds(60)) { times.lease = lease }
        if let beat = section["heartbeat"]?.duration(.milliseconds(10) ... .seconds(10)) { times.heartbeat = beat }
        if let patience = section["channel_patience"]?.duration(.milliseconds(50) ... .seconds(60)) {
            times.channelPatience = patience
        }
        secret = section["secret"]?.text("path")
        if let failback = section["failback"] { readFailback(failback) }
        checkOrder(section)
    }

    private mutating func readWitness(_ entry: Entry) {
        if entry.value.scalar != nil {
            witness = entry.text("path")
        } else if let section = Section(entry, keys: Self.witnessKeys) {
            witness = section["file"]?.text("path")
        }
    }

    private mutating func readFailback(_ entry: Entry) {
        if entry.value.scalar?.string == "never" {
            times.failbackDelay = nil
        } else if let delay = entry.duration(.zero ... .seconds(86400)) {
            times.failbackDelay = delay
        }
    }

    /// A beat must fit into the patience, and the patience into the lease, or a healthy pair would part.
    private func checkOrder(_ section: Section) {
        if times.heartbeat.scaled(2, over: 1) > times.channelPatience {
            (section["heartbeat"] ?? section["channel_patience"])?.refuse(
                "heartbeat is \(TimeSpan.format(times.heartbeat)), more than half of channel_patience "
                    + "(\(TimeSpan.format(times.channelPatience))); one late beat would part the pair")
        }
        if times.channelPatience > times.lease {
            (section["channel_patience"] ?? section["lease"])?.refuse(
                "channel_patience is \(TimeSpan.format(times.channelPatience)), longer than the lease "
                    + "(\(TimeSpan.format(times.lease))); the lease would run out first")
        }
    }
}
