/// A fault in effect: named, listed, removable. Shaped like Toxiproxy's toxics: a name, a type, what it is about.
package struct Fault: Codable, Hashable, Sendable {
    package var name: String
    package var type: Kind
    /// For faults of one controller: `a` or `b`.
    package var controller: String?
    /// For faults of the channel.
    package var direction: ChannelDirection?

    /// The types of this version.
    package enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
        /// SIGKILL; it stays down until the fault is removed.
        case controllerKill = "controller-kill"
        /// SIGSTOP; goes on when the fault is removed.
        case controllerHang = "controller-hang"
        /// The channel carries nothing in a direction.
        case channelCut = "channel-cut"
    }

    private init(name: String, type: Kind, controller: String?, direction: ChannelDirection?) {
        self.name = name
        self.type = type
        self.controller = controller
        self.direction = direction
    }

    /// Checks what was asked for, and fills in what was left out: the name follows from the rest, a cut is in both
    /// directions. Throws a sentence (status 400) for a combination that means nothing.
    package init(
        name: String?, type: String, controller: String?, direction: String?
    ) throws(ManagementRefusal) {
        guard let kind = Kind(rawValue: type) else {
            let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw .badRequest("'\(type)' is no fault of this version; there are: \(known)")
        }
        let given = name
        switch kind {
        case .controllerKill, .controllerHang:
            guard let controller, ["a", "b"].contains(controller) else {
                throw .badRequest("\(type) needs a controller, a or b")
            }
            guard direction == nil else { throw .badRequest("\(type) has no direction; a channel-cut has") }
            self.init(name: given ?? "\(type)-\(controller)", type: kind, controller: controller, direction: nil)
        case .channelCut:
            guard controller == nil else { throw .badRequest("\(type) is about both controllers; give a direction") }
            let text = direction ?? ChannelDirection.both.rawValue
            guard let direction = ChannelDirection(rawValue: text) else {
                let known = ChannelDirection.allCases.map(\.rawValue).joined(separator: ", ")
                throw .badRequest("'\(text)' is no direction; there are: \(known)")
            }
            self.init(name: given ?? "\(type)-\(text)", type: kind, controller: nil, direction: direction)
        }
        guard Self.isName(self.name) else {
            throw .badRequest("'\(self.name)' is no name of a fault; write 1 to 64 lower-case letters, digits and '-'")
        }
    }

    /// Names stand in paths.
    package static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// Which way of the channel.
package enum ChannelDirection: String, Codable, Hashable, Sendable, CaseIterable {
    case aToB = "a-to-b"
    case bToA = "b-to-a"
    case both
}

/// The faults in effect, by name. A bounded table.
package struct FaultTable: Sendable {
    /// Two controllers, two types, and the channel: more is a mistake of a script.
    package static let limit = 64
    package private(set) var faults: [Fault] = []

    package init() {}

    /// What adding a fault comes to.
    package enum Addition: Equatable, Sendable {
        case new
        /// The same one is there already: nothing is to be done.
        case same
    }

    /// Notes a fault. Throws when its name is taken by another one, or the table is full.
    package mutating func add(_ fault: Fault) throws(ManagementRefusal) -> Addition {
        if let other = faults.first(where: { $0.name == fault.name }) {
            guard other == fault else {
                throw .conflict(
                    "a fault '\(fault.name)' of type \(other.type.rawValue) is there already; remove it first")
            }
            return .same
        }
        guard faults.count < Self.limit else {
            throw .conflict("there are \(faults.count) faults already; remove one, or reset")
        }
        faults.append(fault)
        return .new
    }

    /// Forgets a fault; nil when there is none of the name.
    package mutating func remove(_ name: String) -> Fault? {
        faults.firstIndex { $0.name == name }.map { faults.remove(at: $0) }
    }

    /// Whether any fault of a type is about a controller.
    package func has(_ type: Fault.Kind, controller: String) -> Bool {
        faults.contains { $0.type == type && $0.controller == controller }
    }

    /// The directions that are cut, each once.
    package var cuts: Set<ChannelDirection> { Set(faults.compactMap(\.direction)) }
}
