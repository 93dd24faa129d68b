import Glibc

/// Where a logical unit is: `iscsi://HOST[:PORT]/IQN/LUN`.
struct UnitAddress {
    var host: String
    var port: UInt16
    var target: String
    var lun: UInt16
    var text: String

    /// nil when the text is not such an address.
    init?(_ text: String) {
        guard text.hasPrefix("iscsi://") else { return nil }
        let parts = text.dropFirst(8).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, let lun = UInt16(parts[2]), lun < 16384, !parts[1].isEmpty else { return nil }
        let place = parts[0]
        if let colon = place.lastIndex(of: ":"), place.last != "]" {
            guard let port = UInt16(place[place.index(after: colon)...]) else { return nil }
            self.port = port
            host = String(place[..<colon])
        } else {
            port = 3260
            host = String(place)
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { return nil }
        target = String(parts[1])
        self.lun = lun
        self.text = text
    }
}

/// What to do, from the command line.
struct Options {
    var addresses: [UnitAddress] = []
    /// Percentage of commands that read: 100, 0 or between.
    var readPercent: UInt64 = 100
    var sequential = false
    var blockSize = 4096
    var depth = 32
    var sessions = 1
    var seconds = 5.0
    var operations: UInt64 = .max
    var warmup = 0.0
    var span: UInt64 = .max
    var seed: UInt64 = 1
    var verify = false
    var stateFile: String?
    var check = false
    var failOver = false
    var recoverSeconds = 30.0
    var timeoutSeconds = 5.0
    var headerDigest = false
    var dataDigest = false
    var immediateData = true
    var initialR2T = false
    var maxReceive = 256 << 10
    var maxBurst = 1 << 20
    var firstBurst = 256 << 10
    var initiator = "iqn.2026-11.io.gemel:load"
    var processes: [Int32] = []
    var json = false
    var label = ""
    var quiet = false

    /// Bytes of a size such as `4096`, `4k`, `256K`, `1m`, `2GiB`; nil when it is none.
    static func size(_ text: String) -> UInt64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits) else { return nil }
        let shift: UInt64
        switch text.dropFirst(digits.count).lowercased() {
        case "", "b": shift = 0
        case "k", "kib": shift = 10
        case "m", "mib": shift = 20
        case "g", "gib": shift = 30
        case "t", "tib": shift = 40
        default: return nil
        }
        let (value, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : value
    }

    static let usage = """
        usage: gemel-load [options] iscsi://HOST[:PORT]/IQN/LUN [another path to the same unit ...]
          --rw KIND            read, write, mix (half reads) or mix:PERCENT-READS        (read)
          --random             random addresses (default)      --sequential  one address after the other
          --bs SIZE            bytes a command                  (4k)
          --qd N               commands outstanding a session   (32)
          --sessions N         sessions to each path; with --fail-over, sessions in all  (1)
          --seconds N          how long, after the warm-up      (5)
          --ops N              stop after N commands instead
          --warmup N           seconds that are not counted     (0)
          --span SIZE          use the first SIZE bytes only
          --seed N             of addresses and stamps          (1)
          --verify             stamp every 512 bytes written, check every byte read
          --state FILE         with --verify: keep the acknowledged sequence numbers there, also from run to run
          --check              read all that FILE knows and compare, nothing else; a mismatch exits with 1
          --fail-over          one path at a time: the next one when it is lost (default: all paths at once)
          --recover N          give up when no path answered for N seconds               (30)
          --timeout N          a path that says nothing for N seconds is lost            (5)
          --header-digest, --data-digest       ask for CRC32C
          --no-immediate, --initial-r2t        ImmediateData=No, InitialR2T=Yes
          --max-recv SIZE (256k)  --max-burst SIZE (1m)  --first-burst SIZE (256k)
          --initiator IQN      initiator name                   --pid N[,N]  CPU time of these processes too
          --json               one JSON object on one line      --label TEXT, --quiet
        exit status: 0 all right, 1 mismatch or refused commands, 2 no path or no unit, 64 usage
        """

    /// Parses the arguments after the program's name; the error is a sentence.
    static func parse(_ arguments: [String]) -> Result<Options, UsageError> {
        var options = Options()
        var rest = arguments[...]
        while let word = rest.popFirst() {
            if options.takeFlag(word) { continue }
            if word.hasPrefix("-") {
                guard let value = rest.popFirst() else { return .failure(UsageError("\(word) needs a value")) }
                guard options.take(word, value) else {
                    return .failure(UsageError("\(word) \(value): unknown option, or not a value it can have"))
                }
            } else if let address = UnitAddress(word) {
                options.addresses.append(address)
            } else {
                return .failure(UsageError("\(word) is not iscsi://HOST[:PORT]/IQN/LUN"))
            }
        }
        if let problem = options.problem() { return .failure(UsageError(problem)) }
        return .success(options)
    }

    private mutating func takeFlag(_ word: String) -> Bool {
        switch word {
        case "--random": sequential = false
        case "--sequential": sequential = true
        case "--verify": verify = true
        case "--check": (check, verify) = (true, true)
        case "--fail-over": failOver = true
        case "--header-digest": headerDigest = true
        case "--data-digest": dataDigest = true
        case "--no-immediate": immediateData = false
        case "--initial-r2t": initialR2T = true
        case "--json": json = true
        case "--quiet": quiet = true
        default: return false
        }
        return true
    }

    private mutating func take(_ word: String, _ value: String) -> Bool {
        switch word {
        case "--rw": return takeKind(value)
        case "--bs": return Self.set(&blockSize, Self.size(value), 512...(16 << 20))
        case "--qd": return Self.set(&depth, UInt64(value), 1...4096)
        case "--sessions": return Self.set(&sessions, UInt64(value), 1...4096)
        case "--max-recv": return Self.set(&maxReceive, Self.size(value), 512...((1 << 24) - 512))
        case "--max-burst": return Self.set(&maxBurst, Self.size(value), 512...((1 << 24) - 512))
        case "--first-burst": return Self.set(&firstBurst, Self.size(value), 512...((1 << 24) - 512))
        case "--seconds": return Self.set(&seconds, value, 0.01...864_000)
        case "--warmup": return Self.set(&warmup, value, 0...3600)
        case "--recover": return Self.set(&recoverSeconds, value, 0...86_400)
        case "--timeout": return Self.set(&timeoutSeconds, value, 0.01...86_400)
        case "--ops":
            guard let number = UInt64(value), number > 0 else { return false }
            operations = number
        case "--span":
            guard let bytes = Self.size(value), bytes > 0 else { return false }
            span = bytes
        case "--seed":
            guard let number = UInt64(value) else { return false }
            seed = number
        case "--state": stateFile = value
        case "--initiator": initiator = value
        case "--label": label = value
        case "--pid":
            processes = value.split(separator: ",").compactMap { Int32($0) }
            return !processes.isEmpty
        default: return false
        }
        return true
    }

    private mutating func takeKind(_ value: String) -> Bool {
        switch value {
        case "read": readPercent = 100
        case "write": readPercent = 0
        case "mix": readPercent = 50
        default:
            guard value.hasPrefix("mix:"), let number = UInt64(value.dropFirst(4)), number <= 100 else { return false }
            readPercent = number
        }
        return true
    }

    private static func set(_ field: inout Int, _ value: UInt64?, _ range: ClosedRange<Int>) -> Bool {
        guard let value, value <= UInt64(range.upperBound), range.contains(Int(value)) else { return false }
        field = Int(value)
        return true
    }

    private static func set(_ field: inout Double, _ value: String, _ range: ClosedRange<Double>) -> Bool {
        guard let number = Double(value), range.contains(number) else { return false }
        field = number
        return true
    }

    private func problem() -> String? {
        if addresses.isEmpty { return "no iscsi://HOST[:PORT]/IQN/LUN given" }
        if blockSize % 512 != 0 { return "--bs \(blockSize) is not a multiple of 512" }
        if check, stateFile == nil { return "--check needs --state FILE" }
        if stateFile != nil, !verify { return "--state needs --verify or --check" }
        if depth * sessions * addresses.count > 1 << 20 { return "more than 1,048,576 commands outstanding" }
        return nil
    }
}

/// A command line that cannot be understood, as a sentence.
struct UsageError: Error {
    var sentence: String
    init(_ sentence: String) { self.sentence = sentence }
}
