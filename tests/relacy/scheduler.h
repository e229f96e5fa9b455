/* SPDX-License-Identifier: MIT */
/*
 * scheduler.h - which simulated thread goes on.
 *
 * Relacy's own random scheduler gives each thread the same chance at each step, so one that stands still
 * while another does a hundred steps is never seen, and that is where the ends of things go wrong. Here
 * threads have weights that change now and then; one round in four is even, as Relacy's.
 *
 * Layer: tests only. Locks: none.
 */
#ifndef TUTTI_TESTS_RELACY_SCHEDULER_H
#define TUTTI_TESTS_RELACY_SCHEDULER_H

#include "model.h"

template <int threads>
class model_scheduler
    : public rl::scheduler<model_scheduler<threads>, rl::scheduler_thread_info, threads> {
  public:
    typedef rl::scheduler<model_scheduler<threads>, rl::scheduler_thread_info, threads> base;
    typedef typename base::thread_info_t thread_info_t;
    typedef typename base::shared_context_t shared_context_t;

    struct task_t {};

    model_scheduler(rl::test_params &params, shared_context_t &context, int dynamic)
        : base(params, context, dynamic)
    {
    }

    int iteration_begin_impl()
    {
        random.seed(this->iter_);
        for (unsigned &weight : weights) {
            weight = draw_weight();
        }
        rl::unpark_reason reason;
        return schedule_impl(reason, 0);
    }

    bool iteration_end_impl() { return this->iter_ == this->params_.iteration_count; }

    /* Wake a thread whose sleep may end by time, or for no reason; else choose among those that can run. */
    int schedule_impl(rl::unpark_reason &reason, unsigned)
    {
        int count = this->running_threads_count;
        int timed = this->timed_thread_count_;
        if (timed != 0 && one_in(count != 0 ? 4 : 1)) {
            reason = rl::unpark_reason_timeout;
            return wake(this->timed_threads_[draw((unsigned)timed)]);
        }
        int spurious = this->spurious_thread_count_;
        if (spurious != 0 && count != 0 && one_in(16)) {
            reason = rl::unpark_reason_spurious;
            return wake(this->spurious_threads_[draw((unsigned)spurious)]);
        }
        reason = rl::unpark_reason_normal;
        return choose(count);
    }

    unsigned rand_impl(unsigned limit, rl::sched_type) { return draw(limit); }

    rl::iteration_t iteration_count_impl() { return this->params_.iteration_count; }
    void get_state_impl(std::ostream &) {}
    void set_state_impl(std::istream &) {}
    void on_thread_block(int, bool) {}

  private:
    rl::random_generator random;
    unsigned weights[threads];

    unsigned draw(unsigned limit) { return random.rand() % limit; }
    bool one_in(unsigned count) { return draw(count) == 0; }
    unsigned draw_weight() { return this->iter_ % 4 == 0 ? 1 : 1u << 2 * draw(5); }

    int wake(thread_info_t *thread)
    {
        this->unpark_thread(thread->index_);
        return thread->index_;
    }

    int choose(int count)
    {
        if (one_in(32)) {
            weights[draw(threads)] = draw_weight();
        }
        unsigned sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weights[this->running_threads[(size_t)i]];
        }
        unsigned at = draw(sum);
        int i = 0;
        while (at >= weights[this->running_threads[(size_t)i]]) {
            at -= weights[this->running_threads[(size_t)i++]];
        }
        return this->running_threads[(size_t)i];
    }
};

#endif
