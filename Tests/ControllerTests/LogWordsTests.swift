import BlockModel
import Controller
import Primitives
import Testing

/// Every log entry is a sentence in words and units, not in the numbers that the engines use.
@Suite struct LogWordsTests {
    /// Two units, LUNs 0 and 5, on one device.
    private static var description: ArrayDescription {
        let units = [0, 5].map { lun in
            UnitDescription(
                lun: lun,
                map: UnitMap(
                    sectors: 8, device: DeviceIndex(0), dataOffset: 1 << 20, stateOffset: 65536, preferred: .a,
                    policy: .standard),
                blockLength: 512, naa: .init(repeating: 0), serial: "")
        }
        return ArrayDescription(
            name: "demo", pairID: 1, controllers: [],
            devices: [DeviceDescription(name: "disk0", kind: .memory, dataBytes: 1 << 20)], units: units, targets: [])
    }

    /// Two numbers for each code, and what a person reads.
    private static let sentences: [(LogEntry.Code, UInt64, UInt64, String)] = [
        (.stateChanged, 2, 7, "state is now candidate (epoch 7)"),
        (.epochChanged, 7, 1, "epoch is now 7: the record says a is alone"),
        (.partnerLost, 1_795_407_829, 0, "partner lost (incarnation 1795407829)"),
        (.partnerJoined, 9, 0, "partner joined (incarnation 9)"),
        (.fenced, 9, 0, "partner fenced: its process is gone and its memory file is free (incarnation 9)"),
        (.adopted, 1, 0, "1 dirty page of the partner adopted"),
        (.caughtUp, 0, 0, "the partner has caught up"),
        (.channelUp, 3, 9, "channel up (connection 3, partner's incarnation 9)"),
        (.channelDown, 3, 2, "channel down (connection 3): nothing was heard for too long"),
        (.channelRefused, 7, 0xAB,
            "a channel connection was refused: its peer is of pair 00000000000000ab, which is not ours; check "
                + "`channel` of both controllers"),
        (.windowOpened, 9, 0, "window on the partner's memory opened (incarnation 9)"),
        (.windowClosed, 0, 0, "window on the partner's memory closed; pages go by messages"),
        (.homeMoved, 1, 1, "LUN 5 has its home on controller b now"),
        (.deviceFault, 0, 2, "device disk0 reported: cannot be written there"),
        (.loginRefused, 4, 0x0206,
            "a login on connection 4 was refused: too many connections (status 0206h)"),
        (.sessionOpened, 4, 0, "session 4 opened"),
        (.sessionClosed, 4, 0, "session 4 closed"),
        (.protocolError, 4, 2, "a peer broke the protocol on connection 4: a data digest is wrong; it was closed"),
        (.memoryVoided, 0xA, 0xB,
            "own memory voided: the record does not name it; its identity is now 000000000000000a000000000000000b"),
        (.tornFrame, 12, 0, "page frame 12 was torn and is not used"),
    ]

    @Test func everyCodeIsASentence() {
        let words = LogWords(Self.description)
        for (code, first, second, sentence) in Self.sentences {
            #expect(words.sentence(LogEntry(code, first, second)) == sentence)
        }
        for code in LogEntry.Code.allCases {
            #expect(Self.sentences.contains { $0.0 == code }, "\(code) is not tested")
        }
    }

    /// Numbers that no code has are shown as such, and none of them is a trap.
    @Test func unknownNumbersAreNoEnd() {
        for words in [LogWords(), LogWords(Self.description)] {
            for code in LogEntry.Code.allCases {
                for number: UInt64 in [0, 1, 255, .max] {
                    #expect(!words.sentence(LogEntry(code, number, number)).isEmpty)
                }
            }
        }
        #expect(LogWords().sentence(LogEntry(.stateChanged, 99, 1)) == "state is now unknown (99) (epoch 1)")
    }
}
