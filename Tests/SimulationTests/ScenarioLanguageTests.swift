import Testing

@testable import Simulation

/// The language of scenario files, played with reference targets.
@Suite struct ScenarioLanguageTests {
    private func play(_ text: String) -> String { Scenario(text).run { ReferenceTarget($0, bug: .none) } }

    private let story = """
        # A story.
        array lease=1s
        start
        wait redundant
        ----
        ok
        ok
        ok

        write a lba=0 blocks=8 as=one
        write b lba=4 blocks=8 as=two
        read a lba=0 blocks=16
        crash b
        read a lba=0 blocks=2
        status
        ----
        GOOD
        GOOD
        GOOD one*4 two*8 initial*4
        ok
        GOOD one
        a paired, serving, redundant
        b dead

        restart b
        wait redundant
        read b lba=0 blocks=1
        sync b
        ----
        ok
        ok
        GOOD one
        GOOD

        """

    @Test func aStoryAnswersAsWritten() { #expect(play(story) == story) }

    @Test func aWrongAnswerShows() {
        let wrong = story.replacing("one*4 two*8", with: "two*12")
        #expect(play(wrong) == story)
        #expect(Scenario(wrong).expectedText == wrong)
    }

    @Test func aHungControllerAnswersWhenItGoesOn() {
        let text = """
            start
            wait redundant
            hang a
            write a lba=0 blocks=1 as=late begin
            run 2s
            status
            resume a
            finish late
            ----
            ok
            ok
            ok
            begun
            ok
            a hung
            b paired, serving, redundant
            ok
            GOOD

            """
        #expect(play(text) == text)
    }

    @Test func aCutPathLosesNothingThatWasAcknowledged() {
        let text = """
            start
            wait redundant
            write a lba=0 blocks=4 as=kept
            cut host a
            run 30s
            read b lba=0 blocks=4
            heal
            wait redundant
            read a lba=0 blocks=4
            ----
            ok
            ok
            GOOD
            ok
            ok
            GOOD kept
            ok
            ok
            GOOD kept

            """
        #expect(play(text) == text)
    }

    @Test func whatIsNotUnderstoodIsSaid() {
        #expect(play("dance a\n----\n").contains("not understood: dance a"))
    }

    @Test func timesAndPairsAreRead() {
        let command = ScenarioCommand("write a lba=8 as=x fua")
        #expect(command.host == 0 && command.number("lba", 0) == 8 && command.has("fua"))
        #expect(ScenarioCommand.time("200ms") == 200_000_000)
        #expect(ScenarioCommand.time("5s") == 5_000_000_000)
        #expect(ScenarioCommand.time("soon") == nil)
    }
}
