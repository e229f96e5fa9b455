/* SPDX-License-Identifier: MIT */
/*
 * modern.cpp - a C++17 program on an installed tutti: a promise that a thread of its own settles, and
 * a task behind it. Prints "promised 21, made 42".
 */
#include <cstdio>
#include <memory>
#include <thread>

#include <tutti.h>

namespace {

struct engine_free {
    void operator()(tutti_engine *engine) const { (void)tutti_engine_free(engine); }
};
struct task_unref {
    void operator()(tutti_task *task) const { tutti_task_unref(task); }
};
using engine_ptr = std::unique_ptr<tutti_engine, engine_free>;
using task_ptr = std::unique_ptr<tutti_task, task_unref>;

std::int64_t number_of(tutti_task *task)
{
    const tutti_value *value = nullptr;
    return tutti_task_result(task, &value) == TUTTI_OK ? value->as.integer : -1;
}

} // namespace

int main()
{
    tutti_engine *engine = nullptr;
    if (tutti_engine_new(&engine, nullptr) != TUTTI_OK)
        return 1;
    engine_ptr owner{engine};

    tutti_task *promise = nullptr, *twice = nullptr;
    if (tutti_promise_new(engine, &promise) != TUTTI_OK)
        return 1;
    task_ptr first{promise};

    tutti_task_desc desc{};
    desc.struct_size = sizeof desc;
    desc.arg = promise;
    desc.fn = [](tutti_task *, void *arg, tutti_value *result) -> int {
        result->kind = TUTTI_INT;
        result->as.integer = 2 * number_of(static_cast<tutti_task *>(arg));
        return TUTTI_OK;
    };
    if (tutti_submit(engine, &desc, &promise, 1, &twice) != TUTTI_OK)
        return 1;
    task_ptr second{twice};

    std::thread foreign{[promise] {
        tutti_value value{};
        value.kind = TUTTI_INT;
        value.as.integer = 21;
        (void)tutti_promise_settle(promise, TUTTI_OK, &value);
    }};
    const int rc = tutti_task_wait(twice, TUTTI_FOREVER);
    foreign.join();
    std::printf("promised %d, made %d\n", int(number_of(promise)), int(number_of(twice)));
    return rc == TUTTI_OK ? 0 : 1;
}
