import Controller
import Management
import Testing

@Suite struct StatusTests {
    func pair(
        _ controllers: [PairStatus.ControllerReport], wasReady: Bool = false, faults: [Fault] = []
    ) -> PairStatus {
        PairStatus(FakePair.plan, controllers: controllers, faults: faults, wasReady: wasReady)
    }

    @Test func atFirstBothMustServe() {
        let a = FakePair.controller("a", serving: true)
        let b = FakePair.controller("b", serving: false)
        #expect(!pair([a, b]).ready)
        #expect(pair([a, FakePair.controller("b", serving: true)]).ready)
    }

    @Test func laterOneIsEnough() {
        let a = FakePair.controller("a", serving: true)
        let b = FakePair.controller("b", serving: false)
        #expect(pair([a, b], wasReady: true).ready)
        #expect(!pair([b], wasReady: true).ready)
    }

    @Test func oneThatCannotComeUpIsNotWaitedFor() {
        var b = PairStatus.ControllerReport(name: "b", process: .killed, portals: [])
        #expect(pair([FakePair.controller("a", serving: true), b]).ready)
        b.process = .starting
        #expect(!pair([FakePair.controller("a", serving: true), b]).ready)
    }

    @Test func redundantNeedsTwo() {
        let a = FakePair.controller("a", serving: true)
        #expect(!pair([a]).redundant)
        #expect(pair([a, FakePair.controller("b", serving: true)]).redundant)
        var b = FakePair.controller("b", serving: true)
        b.status?.redundant = false
        #expect(!pair([a, b]).redundant)
        b = FakePair.controller("b", serving: true)
        b.process = .hung
        #expect(!pair([a, b]).redundant)
    }

    @Test func theNewestEpochKnowsTheHomes() {
        let old = FakePair.controller("a", serving: true, homes: [0: "a", 1: "a"], epoch: 3)
        let new = FakePair.controller("b", serving: true, homes: [0: "b", 1: "b"], epoch: 4)
        #expect(pair([old, new]).units.map(\.home) == ["b", "b"])
        #expect(pair([old, new]).epoch == 4)
    }

    @Test func whileNobodyServesThereIsNoHome() {
        #expect(pair([FakePair.controller("a", serving: false)]).units.map(\.home) == [nil, nil])
    }

    // MARK: Metrics

    @Test func metricsArePrometheusText() throws {
        let fault = try Fault(name: nil, type: "channel-cut", controller: nil, direction: nil)
        let controllers = ["a", "b"].map { FakePair.controller($0, serving: true) }
        let text = MetricsText.render(pair(controllers, faults: [fault]))
        let lines = text.split(separator: "\n").map(String.init)
        for line in [
            "# TYPE gemel_ready gauge", "gemel_ready 1", "gemel_redundant 1", "gemel_epoch 7", "gemel_faults 1",
            #"gemel_controller_up{controller="a"} 1"#, #"gemel_controller_restarts_total{controller="b"} 0"#,
            #"gemel_unit_bytes{lun="0"} 1073741824"#, #"gemel_unit_home{lun="0",controller="a"} 1"#,
            #"gemel_unit_home{lun="0",controller="b"} 0"#, #"gemel_memory_dirty_pages{controller="b"} 5"#,
            #"gemel_messages_sent_total{controller="a",message="space request"} 1"#,
            #"gemel_messages_sent_total{controller="a",message="write page"} 3"#,
            #"gemel_copied_bytes_total{controller="b",method="dma"} 8192"#, #"gemel_lease_seconds{controller="a"} 1.5"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test func everyFamilyIsDescribedOnceBeforeItsSamples() throws {
        let text = MetricsText.render(pair([FakePair.controller("a", serving: true)]))
        var described: Set<String> = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words[1] == "TYPE" {
                #expect(described.insert(String(words[2])).inserted, "\(words[2]) is described twice")
                let isTotal = words[2].hasSuffix("_total")
                #expect(isTotal == (words[3] == "counter"), "\(words[2])")
            } else if words[0] != "#" {
                let name = line.prefix { $0 != "{" && $0 != " " }
                #expect(name.hasPrefix("gemel_"))
                #expect(described.contains(String(name)), "\(name) has no TYPE")
            }
        }
        #expect(text.hasSuffix("\n"))
    }

    @Test func aControllerThatDoesNotAnswerHasNoSamplesOfItsOwn() {
        let text = MetricsText.render(pair([PairStatus.ControllerReport(name: "a", process: .down, portals: [])]))
        #expect(text.contains(#"gemel_controller_up{controller="a"} 0"#))
        #expect(!text.contains("gemel_memory_frames{"))
    }

    /// Names of initiators, which anybody can make up, are no labels: neither markup nor endless series.
    @Test func labelsComeFromFixedSets() throws {
        var report = FakePair.controller("a", serving: true)
        let before = MetricsText.render(pair([report])).split(separator: "\n").count
        for index in 0..<1000 {
            var session = ControllerStatus.SessionStatus()
            session.initiator = "iqn.2026-11.x:<script>\(index)"
            report.status?.sessions.append(session)
        }
        let text = MetricsText.render(pair([report]))
        #expect(text.split(separator: "\n").count == before)
        #expect(!text.contains("script"))
    }

    @Test func labelValuesAreEscaped() {
        var report = FakePair.controller("a", serving: true)
        report.status?.copiedBytes = ["a\"b\\c\nd": 1]
        #expect(MetricsText.render(pair([report])).contains(#"method="a\"b\\c\nd"} 1"#))
    }
}
