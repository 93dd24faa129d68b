import Foundation
import Testing

extension Acceptance {
    @Suite(.timeLimit(.minutes(2))) struct Discovery {
        @Test func sendTargetsNamesTheTargetAtThePortalsOfBothControllers() throws {
            let array = try RunningArray()
            try array.start()
            for controller in ["a", "b"] {
                let portal = "127.0.0.1:\(array.ports[controller] ?? 0)"
                let outcome = try Program.run(["iscsi-ls", "-s", "iscsi://\(portal)"], folder: array.folder)
                #expect(outcome.status == 0, "\(outcome.output)")
                #expect(outcome.output.contains(RunningArray.target))
                #expect(outcome.output.contains(portal))
                #expect(outcome.output.contains("DIRECT_ACCESS"))
            }
        }

        @Test func bothControllersAnswerInquiryWithTheSameIdentity() throws {
            let array = try RunningArray()
            try array.start()
            let answers = try ["a", "b"].map { controller in
                // Pages 80h and 83h; iscsi-inq reads decimal numbers.
                try ["128", "131"].map { page in
                    try Program.run(["iscsi-inq", "-e", "1", "-c", page, array.url(controller)], folder: array.folder)
                }
            }
            for answer in answers.joined() { #expect(answer.status == 0, "\(answer.output)") }
            #expect(answers[0][0].output == answers[1][0].output, "the serial number differs")
            let names = answers.map { Self.naming($0[1].output) }
            #expect(names[0].count == 5, "the designators of the unit: \(answers[0][1].output)")
            #expect(names[0] == names[1], "the names of the unit differ")
        }

        /// The designators of the device identification page that name the unit, not the port or the target.
        private static func naming(_ page: String) -> [String] {
            page.components(separatedBy: "DEVICE DESIGNATOR").filter { $0.contains("Association:(0)") }
                .map { String($0.drop { $0 != "\n" }) }.sorted()
        }

        @Test func readCapacityTellsTheConfiguredSize() throws {
            let array = try RunningArray(unitMebibytes: 48)
            try array.start()
            for controller in ["a", "b"] {
                let outcome = try Program.run(["iscsi-readcapacity16", array.url(controller)], folder: array.folder)
                #expect(outcome.status == 0, "\(outcome.output)")
                #expect(outcome.output.contains("Total size:\(48 << 20)"), "\(outcome.output)")
            }
        }
    }
}
