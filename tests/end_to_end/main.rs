//! EventPulse end to end: the real functions, deployed from the real template, on the local stack with IAM enforced.
//! Without a stack these tests fail; nothing is skipped, nothing is tried twice to hide a failure.

// A test may panic: that is how it fails.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod answers;
mod bad_input;
mod cli;
mod contract;
mod deliveries;
mod devices;
mod disturbances;
mod http;
mod large;
mod mending;
mod messages;
mod notices;
mod notifications;
mod owners;
mod poll;
mod requests;
mod samples;
mod world;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use notices::{crashes, floods};
use tokio::runtime::Handle;
use world::World;

/// What a test returns: any error fails it.
type TestResult = Result<(), eventpulse_cli::BoxError>;

/// How many tests run at a time, unless the command line says otherwise.
const TESTS_AT_ONCE: usize = 4;

/// What a test does to the others.
#[derive(Clone, Copy, PartialEq)]
enum Manners {
    /// It runs beside them.
    Shares,
    /// It changes functions or roles: it runs alone.
    Alone,
}

fn trial<F>(world: &Arc<World>, handle: &Handle, manners: Manners, name: &str, test: fn(Arc<World>) -> F) -> Trial
where
    F: Future<Output = TestResult> + 'static,
{
    let (world, handle) = (Arc::clone(world), handle.clone());
    Trial::test(name, move || {
        handle.block_on(async {
            let (mut shared, mut alone) = (None, None);
            match manners {
                Manners::Shares => shared = Some(world.quiet.read().await),
                Manners::Alone => alone = Some(world.quiet.write().await),
            }
            let result = test(Arc::clone(&world)).await;
            drop((shared.take(), alone.take()));
            result.map_err(|error| Failed::from(error.to_string()))
        })
    })
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most of a test is waiting: for functions, for a mail's turn.
    arguments.test_threads.get_or_insert(TESTS_AT_ONCE);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = match runtime.block_on(World::start()) {
        Ok(world) => Arc::new(world),
        Err(error) => {
            eprintln!("error: the local stack did not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let handle = runtime.handle().clone();
    macro_rules! trials {
        ($($manners:ident $module:ident :: $test:ident),* $(,)?) => {
            vec![$(trial(&world, &handle, Manners::$manners, concat!(stringify!($module), "::", stringify!($test)), $module::$test)),*]
        };
    }
    let trials = trials![
        Shares samples::each_ends_as_its_expectation_says,
        Shares samples::quarantine_holds_the_bytes_and_a_valid_report,
        Shares samples::the_bootstrap_runs_on_amazon_linux_2023,
        Shares bad_input::each_has_its_code_and_nothing_is_lost,
        Shares bad_input::keys_with_special_characters,
        Shares bad_input::presigned_urls_take_only_what_was_asked_for,
        Shares bad_input::a_later_version_is_removed_unread,
        Shares bad_input::the_quarantine_bucket_triggers_nothing,
        Shares deliveries::twice_in_any_interleaving_is_once,
        Shares deliveries::the_same_bytes_at_the_same_time_count_once,
        Shares deliveries::what_is_owed_is_resumed_after_a_crash_at_every_step,
        Shares deliveries::many_series_are_written_once_or_withdrawn,
        Shares deliveries::an_object_deleted_before_it_is_read,
        Shares deliveries::logs_carry_one_correlation_id_and_no_payload,
        Shares deliveries::a_small_upload_takes_at_most_five_round_trips,
        Shares owners::the_whole_trip,
        Shares owners::every_route_as_its_owner_as_another_one_and_as_nobody,
        Shares owners::only_a_sound_id_token_opens_the_door,
        Shares owners::receipts_tell_every_state,
        Shares owners::lists_page_filter_and_hold_their_cursors,
        Shares owners::the_console_s_origin_and_no_other,
        Shares answers::exact_over_any_range_and_told_what_they_stand_on,
        Shares answers::devices_measures_and_buckets,
        Shares answers::unchanged_answers_are_not_sent_again,
        Shares mending::a_partly_accepted_upload_is_corrected_in_steps,
        Shares mending::a_correction_that_fails_again_updates_the_same_item,
        Shares mending::many_retries_at_once_count_once,
        Shares mending::a_large_correction_goes_by_presigned_url,
        Shares mending::what_is_discarded_is_gone_and_what_is_withdrawn_leaves_every_answer,
        Shares mending::a_used_url_brings_nothing_into_a_terminal_upload,
        Shares requests::each_wrong_request_has_its_own_answer,
        Shares requests::validate_tells_what_an_upload_would_and_stores_nothing,
        Shares requests::the_gateway_s_own_answers_are_problems,
        Shares cli::the_whole_trip_at_the_terminal,
        Shares cli::many_large_files_at_a_time,
        Shares cli::who_is_invited_chooses_a_password,
        Shares cli::keys_and_a_simulated_fleet,
        Shares messages::one_bad_message_costs_no_good_one,
        Shares messages::twice_delivered_is_once_counted,
        Shares messages::an_idempotency_key_is_one_message,
        Shares messages::a_message_is_taken_back_out_of_a_shared_chunk,
        Shares messages::the_raw_log_holds_every_message_that_counts,
        Shares devices::from_a_key_to_statistics,
        Shares devices::what_no_schema_could_accept_is_refused_at_once,
        Shares devices::nothing_that_a_client_sends_changes_the_call,
        Shares devices::keys_are_made_listed_rotated_and_revoked,
        Shares devices::each_key_has_a_rate_of_its_own,
        Shares notifications::from_the_first_mail_to_the_last,
        Shares notifications::many_calls_at_once_send_one_mail,
        Shares notifications::everybody_sees_and_changes_only_their_own,
        Shares notifications::an_address_that_is_not_verified_is_not_mailed,
        Shares notifications::another_address_of_the_account_is_asked_and_the_old_one_left_alone,
        Shares notifications::wrong_bodies_name_the_place,
        Shares notices::new_repeating_resolved_and_back,
        Shares floods::a_thousand_groups_go_within_the_rate_and_none_is_missing,
        Shares notices::two_owners_with_like_failures_never_see_each_other,
        Shares notices::a_first_upload_that_is_partly_wrong_has_no_past,
        Shares notices::what_is_no_news_is_not_mailed,
        Shares notices::machines_get_the_same_as_json,
        Shares notices::the_operator_gets_everything_within_the_rate,
        Shares crashes::the_self_test_goes_the_whole_way_and_mails_nobody,
        Shares contract::a_property_based_tester_finds_no_answer_that_the_document_does_not_tell,
        Alone large::a_gibibyte_in_flat_memory,
        Alone large::hostile_records_in_flat_memory,
        Alone large::compressed_hostile_lines_are_drained_as_they_come,
        Alone large::a_large_rejected_object_is_moved_in_parts,
        Alone disturbances::a_missing_permission_is_a_denial_and_heals,
        Alone disturbances::an_upload_that_cannot_be_read_becomes_failed_and_heals,
        Alone messages::what_cannot_be_finished_alone_is_delivered_again,
        Alone floods::a_thousand_failures_of_one_group_are_two_mails,
        Alone crashes::who_dies_with_the_turn_holds_nobody_up_for_long,
        Alone crashes::a_crash_between_publishing_and_recording_repeats_one_notice_at_most,
        Alone devices::a_burst_of_five_thousand_is_told_to_the_last_one,
        Alone devices::what_was_given_up_comes_back_by_one_command,
        Alone disturbances::an_upload_that_kills_the_function_goes_to_quarantine,
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(handle);
    let stopped = Arc::try_unwrap(world).map_err(|_| "tests still use the stack".into());
    if let Err(error) = stopped.and_then(|world| runtime.block_on(world.stop())) {
        eprintln!("error: the local stack did not stop: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
