import BlockModel
import Controller

/// `array:` the name, and what INQUIRY says.
struct ArraySection {
    var name: String?
    var personality = Personality()

    private static let keys: [KnownKey] = [.read("name"), .read("personality")]
    private static let personalityKeys: [KnownKey] = [
        .read("vendor"), .read("product"), .read("revision"), .read("alua"),
        .unavailable("unit_attentions", "unit attentions follow SPC-5; leave the key out"),
    ]

    init(_ entry: Entry) {
        guard let section = Section(entry, keys: Self.keys) else { return }
        if let text = section.required("name", "demo")?.text("name") {
            if Self.isName(text) {
                name = text
            } else {
                section["name"]?.refuse(
                    "'\(text)' cannot be a file name; write 1 to 32 lower-case letters, digits and '-', such as demo")
            }
        }
        guard let inner = section["personality"], let section = Section(inner, keys: Self.personalityKeys) else {
            return
        }
        if let text = Self.identification(section["vendor"], 8) { personality.vendor = text }
        if let text = Self.identification(section["product"], 16) { personality.product = text }
        if let text = Self.identification(section["revision"], 4) { personality.revision = text }
        let styles: [(String, AccessStyle)] = [
            ("asymmetric", .asymmetric), ("symmetric", .symmetric), ("standby", .standby),
            ("unavailable", .unavailable),
        ]
        if let style = section["alua"]?.choice(styles) { personality.accessStyle = style }
    }

    /// Names that stand in paths of files, sockets and memory files.
    static func isName(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count) && !text.hasPrefix("-")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// SPC-5 §4.3.1: left-aligned ASCII graphic characters and spaces.
    private static func identification(_ entry: Entry?, _ limit: Int) -> String? {
        guard let entry, let text = entry.text("text") else { return nil }
        guard text.utf8.count <= limit, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            entry.refuse("'\(text)' does not fit; at most \(limit) printable ASCII characters")
            return nil
        }
        return text
    }
}
