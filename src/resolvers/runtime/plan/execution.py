"""graphql-core's executor, but by the plan of an operation where there is one (``resolvers.runtime.plan.planning``)."""

from typing import Any

from graphql.pyutils import AwaitableOrValue

from graphql import ExecutionResult, GraphQLError, OperationType
from resolvers.runtime.plan.fields import Selection
from resolvers.runtime.plan.planning import Plans
from resolvers.runtime.plan.running import Run
from resolvers.runtime.slices import SlicedExecution


class PlannedExecution(SlicedExecution):
    """Answers what graphql-core would: the same data, the same errors, and in the same order unless loads race."""

    def execute_operation(self, serially: bool | None = None) -> AwaitableOrValue[Any]:
        run, root = Run(self), None
        if self.strawberry.is_planned and self.abort_signal is None and self.hooks is None and not self._has_middleware:
            plans = self._plans
            conversions = plans.conversions(self.strawberry.schema_converter)
            root = plans.of(self.operation, self.fragments).root(run, conversions)
        if root is None:
            return super().execute_operation(serially)
        if serially or (serially is None and self.operation.operation is OperationType.MUTATION):
            return _one_by_one(run, root)
        try:
            data = root.written(run, self.root_value, None)
        except GraphQLError as error:
            run.fail(error)
            return run.result({})
        return _in_the_end(run, data) if run.is_waiting else run.result(data)

    @property
    def _plans(self) -> Plans:
        plans: Plans = self.strawberry.plans
        return plans

    @property
    def _has_middleware(self) -> bool:
        return self.middleware_manager is not None and bool(self.middleware_manager.middlewares)


async def _in_the_end(run: Run, data: dict[str, Any]) -> ExecutionResult:
    await run.settle()
    return run.result(data)


async def _one_by_one(run: Run, root: Selection) -> ExecutionResult:
    """Each root field when the one before it is done with."""
    data: dict[str, Any] = {}
    for field in root.fields:
        try:
            field.write(run, run.executor.root_value, data, None)
        except GraphQLError as error:
            run.fail(error)
        await run.settle()
        if run.is_null:
            break
    return run.result(data)
