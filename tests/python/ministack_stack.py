"""Deploys statemachine/template.yaml on ministack with the real package, and tests it from the queue to the callback.

    ministack_stack.py REPOSITORY PACKAGE_ZIP HOSTILE_ZIP STAGEHOST

HOSTILE_ZIP is a package in which the hostile stage of tests/guests replaces the thumbnails. STAGEHOST is the command.
stack/deployment.py lists the differences to a deployment on AWS. Run it with a Python that has ministack, which it starts and stops itself. Every section
is an assertion; the exit code is 1 if one fails.
"""

import sys
import tempfile

import server
from sections import run
from stack import batches, facts, faults, smoke, updates
from stack.deployment import Deployment
from stack.desk import Desk

# Nothing here takes longer than half a minute on a slow machine, so a failure shows soon.
server.PATIENCE_S = 180


def main(repository, package, hostile, stagehost):
    with tempfile.TemporaryDirectory() as folder, Deployment(folder, repository, package, hostile) as deployment:
        deployment.deploy(package)
        deployment.stagehost = stagehost
        sections = [
            *facts.ALL,
            faults.a_job_that_could_not_be_started_comes_back_by_itself,
            faults.a_result_that_nobody_takes_is_kept_whole_and_runs_again_from_there,
            batches.a_listing_with_photos_a_document_and_a_video_goes_all_the_way,
            batches.a_damaged_photo_costs_itself_only,
            batches.without_a_valid_file_the_batch_fails_and_the_backend_knows_why,
            batches.a_job_that_fails_costs_its_video_only_and_operators_hear_of_it,
            batches.a_job_that_is_delivered_three_times_is_one_execution_and_one_callback,
            faults.a_backend_that_comes_back_is_told_then,
            faults.a_message_that_nobody_can_read_is_dead_after_five_receives,
            faults.a_stopped_execution_leaves_its_input_and_late_news_do_no_harm,
            faults.an_event_that_is_lost_costs_a_sweep,
            faults.the_jobs_of_a_stopped_execution_are_cancelled_by_the_sweep,
            faults.a_job_of_a_failed_execution_that_is_sent_again_is_kept,
        ]
        # One after the other: these change the deployment itself, or would disturb each other.
        alone = [
            *smoke.ALL,
            faults.a_throttled_invocation_is_tried_again,
            faults.a_host_that_dies_in_a_call_is_called_again,
            updates.a_stage_that_traps_costs_its_file_only_and_the_earlier_stage_comes_back,
            updates.each_update_published_a_version_that_calls_its_own_host_and_new_executions_begin_with_the_last,
            updates.a_video_that_nobody_reports_of_ends_in_time_with_what_else_was_made,
            batches.nothing_came_unsigned,
            updates.what_cannot_be_made_again_outlives_the_stack,
        ]
        desk = Desk(deployment)
        if run(sections, desk) + run(alone, desk):
            raise SystemExit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
