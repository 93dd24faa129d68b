import Configuration
import Primitives
import Testing

@Suite struct ValueTests {
    @Test(arguments: [
        ("0", 0 as UInt64?), ("4096", 4096), ("1KiB", 1024), ("64KiB", 65536), ("1MiB", 1 << 20), ("2 GiB", 2 << 30),
        ("1TiB", 1 << 40), ("7B", 7), ("1GB", nil), ("1G", nil), ("", nil), ("GiB", nil), ("-1", nil), ("1.5GiB", nil),
        ("9223372036854775807", UInt64(Int64.max)), ("9223372036854775808", nil), ("16777216TiB", nil), ("٣KiB", nil),
    ])
    func sizes(text: String, bytes: UInt64?) { #expect(ByteCount.parse(text) == bytes) }

    @Test func sizesArePrintedAsTheyAreWritten() {
        #expect(ByteCount.format(1 << 30) == "1GiB")
        #expect(ByteCount.format(3 << 19) == "1536KiB")
        #expect(ByteCount.format(513) == "513")
        #expect(ByteCount.format(0) == "0")
    }

    @Test(arguments: [
        ("3s", Interval.seconds(3) as Interval?), ("250ms", .milliseconds(250)), ("2m", .seconds(120)),
        ("5us", .microseconds(5)),
        ("1h", .seconds(3600)), ("3", nil), ("s", nil), ("3 weeks", nil), ("99999999999999999h", nil),
    ])
    func durations(text: String, interval: Interval?) { #expect(TimeSpan.parse(text) == interval) }

    @Test(arguments: [
        ("127.0.0.1:3260", "127.0.0.1:3260" as String?), ("[::1]:3260", "[::1]:3260"), ("[0:0::1]:1", "[::1]:1"),
        ("10.0.0.1", nil), ("10.0.0.1:", nil), (":3260", nil), ("[::1]", nil), ("host:1", nil), ("1.2.3.4:65536", nil),
        ("1.2.3.4:0", nil), ("1.2.3.4:+1", nil), ("[1.2.3.4]:1", nil), ("1.2.3:4", nil),
    ])
    func addresses(text: String, canonical: String?) {
        #expect((try? NetworkAddress(parsing: text))?.description == canonical)
    }

    @Test func listenersCollideOnOnePortOfOneAddressOrOfAll() throws {
        let one = try NetworkAddress(parsing: "127.0.0.1:1")
        #expect(one.collides(with: one))
        #expect(one.collides(with: try NetworkAddress(parsing: "0.0.0.0:1")))
        #expect(one.collides(with: try NetworkAddress(parsing: "[::]:1")))
        #expect(!one.collides(with: try NetworkAddress(parsing: "127.0.0.2:1")))
        #expect(!one.collides(with: try NetworkAddress(parsing: "127.0.0.1:2")))
        #expect(!(try NetworkAddress(parsing: "[::1]:1")).collides(with: try NetworkAddress(parsing: "0.0.0.0:1")))
    }

    @Test(arguments: [
        "iqn.2026-11.io.gemel:demo", "iqn.2001-04.com.example",
        "iqn.2001-04.com.example:storage:diskarrays-sn-a8675309",
        "eui.02004567a425678d", "naa.52004567ba64678d", "naa.62004567ba64678d0123456789abcdef",
    ])
    func namesOfTheStandardAreTaken(name: String) { #expect(ISCSIName.violation(name) == nil) }

    @Test func aNameHasAtMost223Bytes() {
        let long = "iqn.2026-11.io.gemel:" + String(repeating: "x", count: 202)
        #expect(ISCSIName.violation(long) == nil)
        #expect(ISCSIName.violation(long + "x") != nil)
    }

    @Test(arguments: [
        ("portal", "portals" as String?), ("arrya", "array"), ("polcies", "policies"), ("zzz", nil),
        ("devicse", "devices"),
        ("logical_unit", "logical_units"),
    ])
    func theNearestNameIsASlipOfTheHandAway(name: String, nearest: String?) {
        let names = ["array", "devices", "portals", "policies", "logical_units"]
        #expect(NearestName.of(name, among: names) == nearest)
    }
}
