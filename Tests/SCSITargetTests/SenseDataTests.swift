import Foundation
import Primitives
import SCSIFormats
import Testing

@Suite struct SenseDataTests {
    private func bytes(_ sense: SenseData, descriptor: Bool) -> [UInt8] {
        let base = UnsafeMutableRawPointer.allocate(byteCount: SenseData.maxBytes, alignment: 8)
        defer { base.deallocate() }
        base.initializeMemory(as: UInt8.self, repeating: 0, count: SenseData.maxBytes)
        let count = sense.write(to: base, descriptorFormat: descriptor)
        #expect(count <= SenseData.maxBytes)
        return Array(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// The rows of `fixtures/sense/sense.txt`: name, then the bytes.
    @Test func senseDataEqualTheirFixtures() throws {
        let far = SenseData(.mediumError, .unrecoveredReadError, information: 1 << 40)
        let values: [String: (SenseData, Bool)] = [
            "invalid-field-fixed": (.invalidField(inCDB: 7, bit: 5), false),
            "invalid-field-descriptor": (.invalidField(inCDB: 7, bit: 5), true),
            "parameter-list-byte-fixed": (.invalidField(inList: 300), false),
            "unit-attention-fixed": (SenseData(.unitAttention, .asymmetricAccessStateChanged), false),
            "medium-error-information-fixed": (
                SenseData(.mediumError, .unrecoveredReadError, information: 0x1234), false
            ),
            "medium-error-far-fixed": (far, false),
            "medium-error-far-descriptor": (far, true),
        ]
        var seen = 0
        for line in try CommandTableTests.fixture("sense/sense.txt").split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            let (sense, descriptor) = try #require(values[String(words[0])])
            #expect(bytes(sense, descriptor: descriptor) == words.dropFirst().compactMap { UInt8($0, radix: 16) })
            seen += 1
        }
        #expect(seen == values.count)
    }
}
